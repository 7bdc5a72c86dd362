"""The run folder: what lies where in it.

It owns names and whole-or-absent writing; it does not know how anything is made.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from seq2seq import bundle, config, corpus
from seq2seq.bundle import Bundle
from seq2seq.config import Config

ASTRAY = "astray"
"""What the provenance of a model has, with the reason, whose training did not come to its end."""

ROOM = "A run folder must be writable and have room"
"""What is said where it is not."""


class PipelineError(ValueError):
    """A run cannot start or go on."""


class Interrupted(Exception):
    """Someone stopped the run; the message says how to continue it."""


def stopped(folder: Path) -> Interrupted:
    """What a run in this folder raises where it was stopped."""
    return Interrupted(f"stopped; everything is saved. Continue with the same command and --resume, in {folder}")


@contextlib.contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """While entered, what stops a run, or a part of it, says how the run in this folder goes on, if it is begun."""
    try:
        yield
    except Interrupted:
        raise stopped(folder) from None
    except KeyboardInterrupt:
        if not has_text(folder):
            raise
        raise stopped(folder) from None


@dataclass(frozen=True)
class Files:
    """What a run is given: text to train on, to validate and to test; each two aligned files, or one file of pairs."""

    source: Path
    target: Path | None = None
    valid_source: Path | None = None
    valid_target: Path | None = None
    test_source: Path | None = None
    test_target: Path | None = None
    parent: Path | None = None
    """A model folder to go on from."""
    more: tuple[tuple[Path, Path | None], ...] = ()
    """Further corpora to train on."""
    alignments: tuple[Path, ...] = ()
    """Of each corpus the links of words in Pharaoh format, or none at all."""

    @property
    def names(self) -> dict[str, list[str]]:
        """Of the files by what they are for, without their folders; none where it is not given or comes from a pipe."""
        corpora = (path for pair in ((self.source, self.target), *self.more) for path in pair)
        uses = {
            "text": corpora,
            "validation text": (self.valid_source, self.valid_target),
            "test text": (self.test_source, self.test_target),
            "alignments": self.alignments,
        }
        return {use: [path.name for path in paths if path and str(path) != "-"] for use, paths in uses.items()}


@dataclass(frozen=True)
class Run:
    """A run folder and what lies where in it."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def given(self) -> Path:
        """The names of the files that it was begun with."""
        return self.data / "given.json"

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def resolved(self) -> Config:
        """The configuration that lies there."""
        return config.build(config.load(self.config))

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def parent(self) -> Path:
        return self.folder / "parent.safetensors"

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def finished(self) -> bool:
        """Whether its model is there, whole and with its scores, which come last; not where the run went astray."""
        if not (self.model / bundle.MANIFEST).exists():
            return False
        try:
            made = bundle.load(self.model)
        except bundle.BundleError:
            return False
        return bool(made.scores) and ASTRAY not in made.provenance

    @property
    def report(self) -> dict[str, Any]:
        """What was found in the text, as `corpus.Report` holds it; empty where none was prepared yet."""
        path = self.data / corpus.REPORT
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}

    def sides(self, resolved: Config) -> tuple[str, str]:
        """The tokenizer files of the source and the target."""
        if resolved.tokenizer.joint:
            return "tokenizer.model", "tokenizer.model"
        return "tokenizer.source.model", "tokenizer.target.model"

    def text(self, name: str, language: str) -> list[str]:
        """The lines of one side of train, valid or test."""
        return list(self.lines(name, language))

    def lines(self, name: str, language: str) -> Iterator[str]:
        """The same one by one, for text that is larger than the memory."""
        with (self.data / f"{name}.{language}").open(encoding="utf-8", newline="\n") as file:
            for line in file:
                yield line.removesuffix("\n")

    def pair(self, name: str, resolved: Config) -> tuple[list[str], list[str]]:
        """Both sides of train, valid or test; empty where there is none."""
        if not (self.data / f"{name}.{resolved.source_language}").exists():
            return [], []
        return self.text(name, resolved.source_language), self.text(name, resolved.target_language)


def check_folder(folder: Path, resume: bool) -> None:
    """Refuses a folder in use for a new run, and one that is not there for a run to resume.

    Raises:
        PipelineError: it is such a folder.
    """
    if resume and not folder.is_dir():
        raise PipelineError(f"There must be a run to resume; leave --resume out to start one. Received: {folder}")
    if resume and any(folder.iterdir()) and not (Run(folder).data.exists() or _begun(folder)):
        raise PipelineError(f"There must be a run to resume. Received: {folder}, where there is none")
    if not resume and folder.exists() and any(folder.iterdir()):
        raise PipelineError(f"A new run needs a new folder, or --resume to go on with the old one. Received: {folder}")


def check_kind(folder: Path, flag: str) -> None:
    """Refuses to go on with a run of one kind as with one of another, which would be a new run in its midst.

    Arguments:
        flag: "--seeds", "--teachers", or neither.

    Raises:
        PipelineError: it was begun in another way.
    """
    begun = _begun(folder)
    if flag != begun and (begun or Run(folder).config.exists()):
        how = f"with {begun}" if begun else f"without {flag}"
        raise PipelineError(f"A run must be resumed as it was begun, {how}. Received: {folder}")


def check_settings(resolved: Config, settings: Mapping[str, Any]) -> None:
    """Refuses settings that are not those a run was started with: its schedule and its weights depend on them.

    Raises:
        PipelineError: they are others.
    """
    changed = config.changes(resolved, config.build(msgspec.to_builtins(resolved), dict(settings)))
    changed = [change for change in changed if change != "training.precision=auto"]  # it was settled at the beginning
    if changed:
        raise PipelineError(
            f"A resumed run keeps its settings; other ones need a new folder. Received: {', '.join(changed)}"
        )


def check_text(run: Run, files: Files) -> None:
    """Refuses other text than the run was started with: what is read once is not read again.

    Raises:
        PipelineError: it has other names.
    """
    begun = json.loads(run.given.read_text(encoding="utf-8")) if run.given.exists() else {}
    for use, names in files.names.items():
        first = begun.get(use, names)
        if names and names != first:
            told = f"{' and '.join(names)}, begun with {' and '.join(first) or 'none'}"
            raise PipelineError(f"A resumed run keeps its {use}; other text needs a new folder. Received: {told}")


def found(run: Run, say: Callable[[str], None]) -> Bundle:
    """The model of a run that is finished already, which is said."""
    made = bundle.load(run.model.resolve(), verify=False)  # named as when it is written; `finished` has verified it
    say(f"the run is finished already; its model is in {made.path}")
    return made


def has_text(folder: Path) -> bool:
    """Whether the run in this folder, or a part of it that others share with, has read its text."""
    return any(Run(path).config.exists() for path in (folder, *folder.glob("seed-*"), *folder.glob("teachers/seed-*")))


def _begun(folder: Path) -> str:
    if (folder / "teachers").is_dir():
        return "--teachers"
    return "--seeds" if any(folder.glob("seed-*")) else ""


def sweep(run: Run) -> None:
    """Removes what a run that was killed left half-written; an older model that it had moved aside is put back."""
    bundle.mend(run.model)
    for left in list(run.folder.rglob("*.partial*")):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def replace(path: Path, content: bytes) -> None:
    """Writes a file that is whole or absent, after a power cut too."""
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise PipelineError(f"{ROOM}. Received: {path} ({error.strerror})") from None
