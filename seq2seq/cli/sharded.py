"""`seq2seq translate --ray`: a file in shards through translators on the machines of a Ray cluster.

It knows what each process is given and what comes back; how work is spread and kept is the cluster's.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq.cli import errors, printing, shell, streams
from seq2seq.cli.errors import DataError, UsageError
from seq2seq.cli.printing import Form

if TYPE_CHECKING:
    from seq2seq.bundle import Bundle
    from seq2seq.cluster import Shard, Store
    from seq2seq.config import SearchConfig
    from seq2seq.translator import Terms, Translator

LINES = 2000
"""Of a shard: some seconds of work, so that little is lost with a process and little is said between them."""


@dataclass(frozen=True)
class Job:
    """What every process is given; the model goes along, so that the machines need not have it."""

    files: Mapping[str, bytes]
    source: Path
    form: Form
    search: SearchConfig
    terms: Terms

    def __call__(self) -> Work:
        """The translator, made once in each process."""
        from seq2seq.translator import Translator

        with tempfile.TemporaryDirectory() as folder:
            for name, content in self.files.items():
                Path(folder, name).write_bytes(content)
            return Work(self, Translator.load(folder, engine="litert", threads=1))


@dataclass(frozen=True)
class Done:
    """What became of a shard."""

    content: bytes = b""
    warnings: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    withheld: int = 0
    error: str = ""
    """Why there is nothing, in a sentence."""


@dataclass(frozen=True)
class Work:
    """A translator in its process."""

    job: Job
    translator: Translator

    def __call__(self, shard: Shard) -> Done:
        """The shard's lines, translated and printed."""
        out: list[str] = []
        warnings, withheld = [], 0
        try:
            lines = streams.Lines(self.job.source, shard)
            found = self.translator.stream(lines, search=self.job.search, terms=self.job.terms, first=shard.line)
            for number, translation in enumerate(found, start=shard.line):
                printed, left_out = self.job.form(translation)
                out += printed
                withheld += left_out
                if translation.warnings:
                    warnings.append((number, tuple(translation.warnings)))
            lines.check()
            if (there := lines.count + 1 - shard.line) < shard.lines:
                raise DataError(
                    "The input must stay as it is, the same on every machine. "
                    f"Received: {self.job.source}, {there} of {shard.lines} lines from line {shard.line} on"
                )
        except ValueError as error:  # a sentence about the text, which no other process would change
            return Done(error=errors.explain(error)[1])
        return Done(b"".join(map(streams.encoded, out)), warnings, withheld)


def translate(given: Mapping[str, Any], flags: dict[str, Any], terms: Terms) -> None:
    """Translates a file by as many processes as were asked for, and goes on where a run before ended.

    Arguments:
        given: the command's arguments by name.
        flags: those of them that are settings of the search.
        terms: what is demanded of translations.

    Raises:
        UsageError: something was asked for that shards cannot do.
        ClusterError, ShardsError: see `cluster`.
    """
    source, output = _files(given)
    from seq2seq import bundle, cluster

    model = bundle.load(given["model"])
    translator = shell.load(given["model"], "litert", 1, sure=given["min_confidence"] is not None)
    search = shell.search_config(translator, flags)
    job = Job(_contents(model), source, printing.form(given, search), search, terms)
    shards = cluster.cut(source, LINES)
    store = cluster.Store(output, _stamp(model, job))
    with streams.Progress("lines", total=sum(shard.lines for shard in shards)) as progress:
        _work(given["ray"], job, shards, store, progress)
    withheld = sum(store.done().values())
    with streams.output(output) as out:
        out.writelines(store.joined(shards))
    store.remove()
    printing.tell_withheld(withheld, given["min_confidence"])


def _work(workers: int, job: Job, shards: list[Shard], store: Store, progress: streams.Progress) -> None:
    """Translates what is not done yet, and keeps each shard with how many of its lines were left empty."""
    from seq2seq import cluster

    done = store.done()
    left = [shard for shard in shards if shard.number not in done]
    finished = sum(shard.lines for shard in shards) - sum(shard.lines for shard in left)
    if finished:
        errors.say("note", f"{finished:,} lines were translated before")
    if not left:
        return
    try:
        with (
            contextlib.redirect_stdout(sys.stderr),  # where Ray tells of processes that are gone
            cluster.connected(workers, lambda line: errors.say("note", line)) as ray,
        ):
            store.begin()
            for place, result in cluster.over(ray, left, job, workers=min(workers, len(left))):
                if result.error:
                    raise DataError(result.error)
                store.keep(left[place].number, result.content, result.withheld)
                finished += left[place].lines
                progress.reach(finished)
                for line, warnings in result.warnings:
                    printing.warn(line, warnings)
    except BaseException:
        if finished:
            errors.say("note", f"{finished:,} lines are in {store.folder}; the same command goes on from there")
        raise


def _files(given: Mapping[str, Any]) -> tuple[Path, Path]:
    for name in ("input", "output"):
        path = given["source" if name == "input" else name]
        if path is None or str(path) == "-":
            raise UsageError(f"--ray needs --{name}, a file. Received: --ray {given['ray']} alone")
    if given["engine"] != "litert":
        raise UsageError(f"--ray runs the engine litert. Received: --engine {given['engine']}")
    if given["output"].is_dir():
        raise UsageError(f"The output must be a file. Received: {given['output']}, a folder")
    for name in ("temperature", "threads"):
        if given.get(name):
            raise UsageError(f"--ray and --{name} do not go together. Received: both")
    return given["source"].absolute(), given["output"].absolute()


def _contents(model: Bundle) -> dict[str, bytes]:
    """The files of the model folder; each is checked again where it arrives."""
    from seq2seq.bundle import MANIFEST

    return {name: (model.path / name).read_bytes() for name in (MANIFEST, *model.files)}


def _stamp(model: Bundle, job: Job) -> dict[str, Any]:
    import msgspec

    facts = job.source.stat()
    return {
        "input": [str(job.source), facts.st_size, facts.st_mtime_ns],
        "model": model.digest,
        "lines": LINES,
        "form": dataclasses.asdict(job.form),
        "search": msgspec.to_builtins(job.search),
        "terms": {name: repr(value) for name, value in sorted(vars(job.terms).items())},
    }
