"""A model that learns from others: teachers, text that they translate, and the student that reads it.

It owns the order and what each stage gets; every stage is another file's and goes on where it was stopped.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from seq2seq import bundle, config, corpus, distillation, release
from seq2seq.bundle import Bundle
from seq2seq.config import SearchConfig
from seq2seq.pipeline import alone
from seq2seq.pipeline.budget import AS_USUAL, Before
from seq2seq.pipeline.run import (
    Files,
    PipelineError,
    Run,
    check_folder,
    check_kind,
    check_settings,
    check_text,
    found,
    replace,
    resumable,
)
from seq2seq.pipeline.seeds import train_seeds
from seq2seq.pipeline.taught import Taught, noise
from seq2seq.pipeline.train import train
from seq2seq.translator import Translator

DRAWS, MOST = 4, 400_000
"""How many new sources are drawn for each target line, of a small corpus; and how many at most in all."""
DRAWN = {"temperature": 1.0, "top_k": 10, "n_best": 1, "diversity": 0.0}
"""How: freely, but not from what label smoothing leaves to every piece of the vocabulary."""
N_BEST = 5

Say = Callable[[str], None]


def train_with_teachers(
    files: Files,
    output: Path,
    teachers: int,
    *,
    settings: Mapping[str, Any],
    provenance: Mapping[str, Any] | None = None,
    resume: bool = False,
    before: Before = AS_USUAL,
    say: Say = print,
) -> Bundle:
    """Trains a translator on what an ensemble says, about the text and about text that is drawn for it.

    1. Networks that differ in their seed and their `noise`, in `output/teachers`, and one that translates back, in
       `output/back`.
    2. For every target line some new sources are drawn from the one that translates back. Those that are held out are
       not among them.
    3. The ensemble translates sources old and new. Of its five best the old ones get that which is nearest to the text,
       the new ones that from which the network that translates back most probably finds back; see `channel.reranked`.
    4. The student, of the size of one teacher, learns from these and from the text. It has the teachers' own validation
       and test sets.

    On the text itself a teacher is sure of what it has learned by heart, and so tells a student little more than the
    text does. On new sources it shows what it makes of the language.

    Arguments:
        teachers: how many.
        files, settings, provenance, before, say: as for `train`; the settings are those of all, but for their noise.
        resume: go on where it was stopped, whatever stopped it; a student that is finished stays as it is.

    Raises:
        PipelineError: `output` is in use, there is nothing to resume, or it was begun with more or fewer teachers.
        Interrupted: SIGINT or SIGTERM came; the message says how to go on.
        Whatever `train` raises.

    Source: Kim and Rush 2016, "Sequence-level knowledge distillation"; Nguyen et al. 2020, "Data diversification";
    Beyer et al. 2022, "Knowledge distillation: a good teacher is patient and consistent".
    """
    check_folder(output, resume)
    check_kind(output, "--teachers")
    _check_number(output / "ensemble", teachers)
    _check_begun(output / "teachers", files, settings)
    if (student := Run(output)).finished:
        return found(student, say)
    with resumable(output), _kept(output, settings) as settings:
        seed = config.build(settings).training.seed
        models = train_seeds(
            files,
            output / "teachers",
            {seed + number: noise(number, settings) for number in range(teachers)},
            settings=settings,
            resume=True,
            before=before,
            say=say,
        )
        taught = Taught(Run(output / "teachers" / f"seed-{seed}"), settings)
        say("a network that translates back")
        back = _trained(taught.back(), output / "back", taught.mirrored, say)
        text = Text(output / "text", taught, say)
        ensemble = _together(models, output / "ensemble", say)
        corpora = text.translated(ensemble, back)
        say("the student")
        origin = {"teachers": {"models": teachers, "digest": ensemble.digest, "pairs": len(taught.text(0))}}
        studied = partial(taught.studied, corpora)
        return _trained(taught.student(corpora), output, studied, say, origin | dict(provenance or {}))


@contextlib.contextmanager
def _kept(output: Path, settings: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The settings that a run began with, and those given now: what nobody asked for, its networks choose.

    They are written before anything is trained, and never again; a run that is refused at once leaves none.
    """
    path, teachers = output / "asked.json", output / "teachers"
    if path.exists():
        yield config.merge(json.loads(path.read_text(encoding="utf-8")), settings)
        return
    with alone.made(teachers):
        replace(path, json.dumps(settings).encode())
        try:
            yield dict(settings)
        finally:
            if not any(teachers.iterdir()):
                path.unlink()


class Text:
    """The text that the student reads, in a folder of its own."""

    def __init__(self, folder: Path, taught: Taught, say: Say) -> None:
        self._folder, self._taught, self._say = folder, taught, say

    def drawn(self, back: Bundle) -> Path:
        """New sources, drawn for each target line, or of many for every so many-th; a whole file or none."""
        path = self._folder / f"drawn.{self._taught.languages[0]}"
        if path.exists():
            return path
        targets = self._taught.text(1)
        targets = targets[:: -(-len(targets) // MOST)]
        draws = min(DRAWS, MOST // len(targets))
        pairs, every = [(line, "") for line in targets], []
        for draw in range(1, draws + 1):
            search = msgspec.structs.replace(back.config.search, **DRAWN, seed=draw)
            _, drawn = self._distilled(back, f"drawn-{draw}", pairs, search)
            every += drawn.read_text(encoding="utf-8").split("\n")[:-1]
        held_out = self._taught.held_out()
        lines = [line for line, folded in zip(every, corpus.fold_all(every), strict=True) if folded not in held_out]
        replace(path, "".join(f"{line}\n" for line in lines).encode())
        return path

    def translated(self, ensemble: Bundle, back: Bundle) -> list[tuple[Path, Path]]:
        """The text and the new sources as the ensemble translates them; the text itself follows on the first."""
        own = list(zip(self._taught.text(0), self._taught.text(1), strict=True))
        new = [(line, "") for line in self.drawn(back).read_text(encoding="utf-8").split("\n")[:-1]]
        search = ensemble.config.search
        several = msgspec.structs.replace(search, n_best=N_BEST, beam=max(N_BEST, search.beam))
        return [
            self._distilled(ensemble, "own", own, several, keep_original=True),
            self._distilled(ensemble, "new", new, several, back=back),
        ]

    def _distilled(
        self,
        by: Bundle,
        name: str,
        pairs: list[tuple[str, str]],
        search: SearchConfig,
        *,
        back: Bundle | None = None,
        keep_original: bool = False,
    ) -> tuple[Path, Path]:
        """What is translated, and its translations; one that was stopped goes on, one that is done is done."""
        folder = self._folder / name
        source, target = (folder / f"train.{language}" for language in (by.source_language, by.target_language))
        if source.exists() and target.exists():
            return source, target
        self._say(f"{name}: {by.source_language} to {by.target_language}, {len(pairs):,} sentences")
        made = distillation.distill(
            Translator.load(by.path),
            lambda: iter(pairs),
            folder,
            search=search,
            identity={"model": by.digest, "text": name} | ({"back": back.digest} if back else {}),
            back=Translator.load(back.path) if back else None,
            keep_original=keep_original,
            progress=_tenths(len(pairs), self._say),
        )
        return made.source, made.target


def _trained(
    files: Files,
    folder: Path,
    settings: Callable[[], Mapping[str, Any]],
    say: Say,
    provenance: Mapping[str, Any] | None = None,
) -> Bundle:
    """A run that is begun, with `settings`, or goes on with those that it began with, or is finished already."""
    run = Run(folder)
    if run.finished:
        return bundle.load(run.model)
    folder.mkdir(parents=True, exist_ok=True)
    own, before = {} if run.config.exists() else settings(), Before(preflight=False)
    made = train(files, folder, settings=own, provenance=provenance, resume=True, before=before, say=say)
    return made or bundle.load(run.model)


def _together(models: Sequence[Bundle], path: Path, say: Say) -> Bundle:
    return bundle.load(path) if (path / bundle.MANIFEST).exists() else release.ensemble(models, path, say=say)


def _check_number(path: Path, teachers: int) -> None:
    """Refuses to go on with more or fewer teachers than those whose text the student reads."""
    if (path / bundle.MANIFEST).exists() and (begun := len(bundle.load(path, verify=False).members)) != teachers:
        raise PipelineError(f"A resumed run keeps its teachers, --teachers {begun}. Received: --teachers {teachers}")


def _check_begun(teachers: Path, files: Files, settings: Mapping[str, Any]) -> None:
    """Refuses other settings or text than the first teacher was begun with; the lowest seed is what was asked for."""
    begun = (run for run in map(Run, teachers.glob("seed-*")) if run.config.exists())
    for run in sorted(begun, key=lambda run: run.resolved.training.seed)[:1]:
        check_settings(run.resolved, settings)
        check_text(run, files)


def _tenths(total: int, say: Say) -> Callable[[int], None]:
    """Says how much is done, ten times."""
    step = max(1, total // 10)

    def progress(done: int) -> None:
        if done % step == 0:
            say(f"  {done:,} of {total:,}")

    return progress
