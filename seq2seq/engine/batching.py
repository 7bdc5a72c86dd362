"""Many sources through one graph: batches of similar length, inputs padded, outputs as hypotheses.

It knows the names of the inference graph's inputs and outputs; it does not know what runs the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq.config import SearchConfig

PAD, EOS = 0, 3
MAX_SOURCE = 256
"""Most pieces of a source, end of sentence not counted."""

_ROWS, _POSITIONS = 64, 64 * 20
"""Most sentences, and most source positions with padding, of a batch that is searched with a beam of `_BEAM`."""
_BEAM = 5
_NEVER = -1e8  # a log-probability below this marks a place in the beam that no hypothesis took

Arrays = dict[str, np.ndarray]
Run = Callable[[str, Arrays], Arrays]
"""Runs a signature of the inference graph on its inputs by name."""


class EngineError(ValueError):
    """An engine is not installed, cannot run the model, or was given more than it takes."""


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


def translate(run: Run, sources: Sequence[Sequence[int]], search: SearchConfig) -> list[list[Hypothesis]]:
    for source in sources:
        _check_length(source)
    found: list[list[Hypothesis]] = [[] for _ in sources]
    for rows in _batches([len(source) + 1 for source in sources], search.beam):
        outputs = run("translate", _inputs([sources[row] for row in rows], search))
        for row, hypotheses in zip(rows, _hypotheses(outputs, search.n_best), strict=True):
            found[row] = hypotheses
    return found


def explain(run: Run, source: Sequence[int], target: Sequence[int]) -> Arrays:
    _check_length(source)
    outputs = run("explain", {"source": _padded([source]), "target": _padded([target])})
    batch_axis = {"encoder": 3, "decoder": 2}
    return {name: np.squeeze(value, batch_axis.get(name, 0)) for name, value in outputs.items()}


def _batches(lengths: Sequence[int], beam: int) -> Iterator[list[int]]:
    """Rows of similar length together: padding costs as much as text."""
    scale = _BEAM / max(beam, _BEAM)
    most_rows, most_positions = max(1, int(_ROWS * scale)), int(_POSITIONS * scale)
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) == most_rows or (len(batch) + 1) * lengths[row] > most_positions):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _inputs(sources: Sequence[Sequence[int]], search: SearchConfig) -> Arrays:
    limits = [search.max_length or 2 * (len(source) + 1) + 10 for source in sources]
    return {
        "source": _padded(sources),
        "max_length": np.array(limits, np.int32),
        "min_length": np.array([search.min_length], np.int32),
        "beam": np.array([search.beam], np.int32),
        "length_penalty": np.array([search.length_penalty], np.float32),
        "coverage_penalty": np.array([search.coverage_penalty], np.float32),
    }


def _padded(rows: Sequence[Sequence[int]]) -> np.ndarray:
    padded = np.full((len(rows), max(map(len, rows)) + 1), PAD, np.int32)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row
        padded[place, len(row)] = EOS
    return padded


def _hypotheses(outputs: Arrays, n_best: int) -> list[list[Hypothesis]]:
    names = ("tokens", "lengths", "scores", "log_probs", "finished")
    tokens, lengths, scores, log_probs, finished = (outputs[name][:, :n_best].tolist() for name in names)
    if not np.isfinite(outputs["scores"][:, 0]).all():
        raise EngineError(f"A model must give finite scores. Received: {outputs['scores'][:, 0].tolist()}")
    return [
        [
            Hypothesis(
                tuple(tokens[row][place][: lengths[row][place] - bool(finished[row][place])]),
                scores[row][place],
                log_probs[row][place],
                bool(finished[row][place]),
            )
            for place in range(len(scores[row]))
            if place == 0 or log_probs[row][place] > _NEVER
        ]
        for row in range(len(scores))
    ]


def _check_length(source: Sequence[int]) -> None:
    if len(source) > MAX_SOURCE:
        raise EngineError(f"A source must have at most {MAX_SOURCE} pieces. Received: {len(source)}")


def first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
