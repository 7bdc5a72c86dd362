"""Many sources through one graph: batches of similar length, inputs padded, outputs as hypotheses.

It knows the names of the inference graph's inputs and outputs; it does not know what runs the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq.config import SearchConfig
from seq2seq.engine import demands
from seq2seq.engine.demands import NOTHING, Arrays, Demands, is_plain

PAD, EOS = 0, 3
MAX_SOURCE = 256
"""Most pieces of a source, end of sentence not counted."""
SPARE = 10
"""Pieces that each translation may have beyond what `max_ratio` says, and beyond what is demanded of it."""


@dataclass(frozen=True)
class Room:
    """The most that a batch may hold."""

    rows: int = 64
    """Sentences."""
    hypotheses: int = 320
    """Hypotheses of all its sentences, unless a single one has more."""
    positions: int = 64 * 20
    """Source positions with padding, for each hypothesis of a sentence up to five."""


ROOMY = Room()
_BEAM = 5
_FEW = 8  # rows that are not worth being parted
_NEVER = -1e8  # a log-probability below this marks a place in the beam that no hypothesis took

Job = tuple[str, Arrays]
"""A signature of the inference graph, and its inputs by name."""
Run = Callable[[Sequence[Job]], Iterable[Arrays]]
"""Runs jobs, side by side if it can, and gives their outputs in the order of the jobs."""
Told = Callable[[int], object]


class EngineError(ValueError):
    """An engine is not installed, cannot run the model, or was given more than it takes."""


class RunError(EngineError):
    """A model that was loaded fails, whatever it was asked."""


@dataclass(frozen=True)
class Hypothesis:
    """One translation that the search found."""

    ids: tuple[int, ...]
    """Pieces, without EOS."""
    score: float
    """What hypotheses are ranked by."""
    log_prob: float
    """Natural logarithm of its probability, end of sentence included."""
    finished: bool
    """False where the limit on the length cut it."""
    coverage: tuple[float, ...] = ()
    """How much each source piece was looked at in all, end of sentence included."""


def translate(
    run: Run,
    sources: Sequence[Sequence[int]],
    search: SearchConfig,
    wanted: Sequence[Demands] = (),
    *,
    workers: int = 1,
    room: Room = ROOMY,
    told: Told = bool,
) -> list[list[Hypothesis]]:
    """See `Engine.translate`.

    Arguments:
        workers: how many jobs `run` does at the same time.
        room: the most that a batch may hold.
        told: hears how many sentences each batch has.
    """
    check(sources, search, wanted)
    asked = wanted or [NOTHING] * len(sources)
    places, jobs = [], []
    for plain in (True, False):
        chosen = [row for row, each in enumerate(asked) if is_plain(search, each) == plain]
        for batch in _batches([len(sources[row]) + 1 for row in chosen], hypotheses(search), workers, room):
            told(len(batch))
            places.append([chosen[place] for place in batch])
            together = [sources[row] for row in places[-1]]
            inputs = basic_inputs(together, search)
            if not plain:
                demanded = [asked[row] for row in places[-1]]
                inputs |= demanding(inputs["max_length"], together, search, demanded)
            jobs.append(("translate" if plain else "constrained", inputs))
    found: list[list[Hypothesis]] = [[] for _ in sources]
    for batch, (_, inputs), outputs in zip(places, jobs, run(jobs), strict=True):
        for row, best in zip(batch, _hypotheses(outputs, inputs["source"], search.n_best), strict=True):
            found[row] = best
    return found


def score(
    run: Run,
    sources: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]],
    *,
    hidden: Sequence[int | None] = (),
    attention_bias: tuple[float, ...] = (),
    workers: int = 1,
    room: Room = ROOMY,
) -> list[tuple[float, ...]]:
    """Each target is said by force, end of sentence included, and its pieces' log-probabilities are read off.

    Arguments:
        hidden: the position of the source piece that each row does not see; None hides nothing.
        attention_bias: as in `Demands`, for every row.
    """
    search = SearchConfig(beam=1, max_length=1)
    check(sources, search, ())
    check_targets(targets)
    said = [(*target, EOS) for target in targets]
    longest = [max(len(source) + 1, len(target)) for source, target in zip(sources, said, strict=True)]
    places, jobs = list(_batches(longest, 1, workers, room)), []
    for rows in places:
        batch = [sources[row] for row in rows]
        inputs = basic_inputs(batch, search) | {"max_length": np.array([len(said[row]) for row in rows], np.int32)}
        wanted = [Demands(prefix=said[row], attention_bias=attention_bias) for row in rows]
        inputs |= demands.inputs(batch, search, wanted, 1)
        for place, row in enumerate(rows if hidden else ()):
            if hidden[row] is not None:
                inputs["present"][place, hidden[row]] = 0.0
        jobs.append(("constrained", inputs))
    found: list[tuple[float, ...]] = [() for _ in sources]
    for rows, outputs in zip(places, run(jobs), strict=True):
        steps = np.diff(outputs["record_log_probs"][:, :, 0].astype(np.float64), axis=0, prepend=0.0)  # (T, B)
        for place, row in enumerate(rows):
            found[row] = tuple(steps[: len(said[row]), place].tolist())
    return found


def check_targets(targets: Iterable[Sequence[int]]) -> None:
    """Refuses translations that are too long to be said by force: at each piece all of the vocabulary is looked at."""
    for target in targets:
        if len(target) > MAX_SOURCE:
            raise EngineError(
                f"A translation that is given must have at most {MAX_SOURCE} pieces. Received: {len(target)}"
            )


def hypotheses(search: SearchConfig) -> int:
    """How many hypotheses of each sentence are computed at every step."""
    return search.n_best if search.temperature else search.beam


def _batches(lengths: Sequence[int], beam: int, workers: int = 1, room: Room = ROOMY) -> Iterator[list[int]]:
    """Rows of similar length together, for padding costs as much as text; enough batches for every worker.

    The longest come first: an interpreter has to grow once, and not at every batch.
    """
    share = max(_FEW, -(-len(lengths) // workers))
    most_rows = max(1, min(room.rows, share, room.hypotheses // beam))
    most_positions = room.positions * _BEAM // max(beam, _BEAM)
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if batch and (len(batch) == most_rows or (len(batch) + 1) * lengths[batch[0]] > most_positions):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def basic_inputs(sources: Sequence[Sequence[int]], search: SearchConfig) -> Arrays:
    limits = [search.max_length or int(search.max_ratio * (len(source) + 1)) + SPARE for source in sources]
    return {
        "source": pad(sources),
        "max_length": np.array(limits, np.int32),
        "beam": np.array([hypotheses(search)], np.int32),
        "n_best": np.array([search.n_best], np.int32),
        "length_penalty": np.array([search.length_penalty], np.float32),
        "word_reward": np.array([search.word_reward], np.float32),
        "coverage_penalty": np.array([search.coverage_penalty], np.float32),
    }


_LEAST = 1000  # pieces that a least length asks for at most


def demanding(
    limits: np.ndarray, sources: Sequence[Sequence[int]], search: SearchConfig, wanted: Sequence[Demands]
) -> Arrays:
    """What the signature `constrained` takes beyond `basic_inputs`, whose limits give way to what is demanded."""
    if not search.max_length:
        limits = limits + np.array([min(demands.pieces(each), MAX_SOURCE) for each in wanted], np.int32)
        least = [min(demands.shortest(source, search), _LEAST) + SPARE for source in sources]
        limits = np.maximum(limits, least).astype(np.int32)
    return {"max_length": limits} | demands.inputs(sources, search, wanted, int(limits.max()))


def pad(rows: Sequence[Sequence[int]]) -> np.ndarray:
    padded = np.full((len(rows), max(map(len, rows)) + 1), PAD, np.int32)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row
        padded[place, len(row)] = EOS
    return padded


def _hypotheses(outputs: Arrays, source: np.ndarray, n_best: int) -> list[list[Hypothesis]]:
    names = ("tokens", "lengths", "scores", "log_probs", "finished", "coverage")
    tokens, lengths, scores, log_probs, finished, coverage = (outputs[name][:, :n_best].tolist() for name in names)
    if not np.isfinite(outputs["scores"][:, 0]).all():
        raise RunError(f"A model must give finite scores. Received: {outputs['scores'][:, 0].tolist()}")
    pieces = np.count_nonzero(source, axis=1).tolist()
    return [
        [
            Hypothesis(
                tuple(tokens[row][place][: lengths[row][place] - bool(finished[row][place])]),
                scores[row][place],
                log_probs[row][place],
                bool(finished[row][place]),
                tuple(coverage[row][place][: pieces[row]]),
            )
            for place in range(len(scores[row]))
            if place == 0 or log_probs[row][place] > _NEVER
        ]
        for row in range(len(scores))
    ]


def check(sources: Sequence[Sequence[int]], search: SearchConfig, wanted: Sequence[Demands]) -> None:
    for source in sources:
        if len(source) > MAX_SOURCE:
            raise EngineError(f"A source must have at most {MAX_SOURCE} pieces. Received: {len(source)}")
    for each in wanted:
        if search.temperature and each.required:
            raise EngineError(
                f"Required phrases need beam search. Received: {len(each.required)} with a temperature of "
                f"{search.temperature}"
            )


def first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
