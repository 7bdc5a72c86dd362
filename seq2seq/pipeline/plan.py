"""The plan of a training: what it would be made of and what it would take, without training.

It owns what is shown and the arithmetic of memory; it does not know how a step is timed or a budget kept.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq import batches, config
from seq2seq.batches import Pairs
from seq2seq.config import Config
from seq2seq.model import Seq2Seq
from seq2seq.pipeline import material
from seq2seq.pipeline.budget import Budget, Cost, say_epochs, say_time
from seq2seq.pipeline.measurement import measure
from seq2seq.pipeline.run import Files, Run
from seq2seq.pipeline.start import start
from seq2seq.tokenizer import Tokenizer

Say = Callable[[str], None]
MIB = 2**20
SPLIT = 195
"""Bytes a source piece that subword sampling keeps, measured on Multi30k; longer words have more splits."""


@dataclass(frozen=True)
class Plan:
    """What a training would be.

    Attributes:
        report: of the corpus, as `report.json` holds it.
        tokenizers: pieces by file.
        left_out: pairs of the training text that are not trained on, by the reason.
        pieces: of the target in an epoch.
        parameters: by layer.
        memory: bytes by what they are for.
        cost: seconds by what they go to.
        resolved: the configuration.
    """

    report: Mapping[str, Any]
    tokenizers: Mapping[str, int]
    left_out: Mapping[str, int]
    pieces: int
    parameters: Mapping[str, int]
    memory: Mapping[str, int]
    cost: Cost
    resolved: Config

    def __str__(self) -> str:
        sections = (
            ("Data", self._data()),
            ("Parameters", _shares(self.parameters)),
            ("Memory, estimated", [_row(name, f"{size / MIB:,.0f} MiB") for name, size in self.memory.items()]),
            ("Time, from measured steps", self._time()),
            ("Configuration", ["  " + line for line in config.dump(self.resolved).splitlines()]),
        )
        return "\n\n".join("\n".join([title, *rows]) for title, rows in sections)

    def _data(self) -> list[str]:
        report = self.report
        rows = [("pairs read", report["read"]), ("pairs kept", report["kept"])]
        rows += [(f"dropped: {reason}", count) for reason, count in report["dropped"].items() if count]
        rows += [*report["splits"].items(), *self.left_out.items(), ("target pieces an epoch", self.pieces)]
        rows += [(f"{name}, pieces", size) for name, size in self.tokenizers.items()]
        return [_row(name, f"{count:,}") for name, count in rows]

    def _time(self) -> list[str]:
        cost, epochs = self.cost, self.resolved.training.epochs
        return [
            _row("target pieces a second", f"{cost.rate:,.0f}"),
            _row("an epoch", say_time(cost.epoch)),
            _row("validation after it", say_time(cost.validation)),
            _row("preflight, export, scoring", say_time(cost.around)),
            _row(f"in all, {say_epochs(epochs)} at most", say_time(cost.total(epochs))),
        ]


def plan(files: Files, *, settings: Mapping[str, Any], budget: Budget | None = None, say: Say = print) -> Plan:
    """Prepares a training as `train` does, in a folder that is removed, and measures a few of its steps.

    Arguments:
        files, settings: as for `train`.
        budget: time that the training must end in.
        say: called with each line of progress.

    Raises:
        ConfigError, CorpusError, TokenizerError, PipelineError: as from `train`.
    """
    with tempfile.TemporaryDirectory(prefix="seq2seq-plan-") as folder:
        run = Run(Path(folder))
        start(files, run, settings, say, budget=budget)
        resolved = run.resolved
        sides = material.tokenizers(run, resolved)
        pairs, _, kept = material.first_epoch(run, resolved, sides, say)
        say("measuring a few steps")
        cost = measure(run, resolved)
        model = material.network(resolved, sides)
        return Plan(
            report=run.report,
            tokenizers=_sizes(run, resolved, sides),
            left_out=material.left_out(run, resolved, kept),
            pieces=int(pairs.target.lengths.sum()),
            parameters=parameters(model),
            memory=memory(model, resolved, pairs, kept),
            cost=cost,
            resolved=resolved,
        )


def parameters(model: Seq2Seq) -> dict[str, int]:
    """Parameters by layer, in the order of the network."""
    counts: dict[str, int] = {}
    for weight in model.weights:
        parts = weight.path.split("/")
        layer = "/".join(parts[: 2 if len(parts) > 2 or parts[0] == "decoder" else 1])
        counts[layer] = counts.get(layer, 0) + int(np.prod(weight.shape))
    return counts


def memory(model: Seq2Seq, resolved: Config, pairs: Pairs, kept: int) -> dict[str, int]:
    """About how many bytes a training holds: all that stays, and what its largest batch leaves behind.

    Arguments:
        model: the network.
        resolved: its configuration.
        pairs: those of the first epoch, in which some may stand more than once.
        kept: different pairs.
    """
    weights = 4 * model.count_params()
    rows = {"weights": weights, "gradients": weights, "Adam": 2 * weights}
    if resolved.training.moving_average:
        rows["moving average"] = weights
    if resolved.training.accumulate > 1:
        rows["gathered gradients"] = weights
    number = 2 if model.dtype_policy.compute_dtype == "bfloat16" else 4
    vocabulary = int(model.decoder.bias.shape[0])
    largest = max(
        _activations(resolved, vocabulary, number, *shape) for shape in _shapes(pairs, resolved.training.batch_tokens)
    )
    if resolved.training.sampling and resolved.tokenizer.kind == "unigram":
        rows["splits of the source"] = int(SPLIT * kept * pairs.source.lengths.mean())
    rows["activations, largest batch"] = largest * (2 if resolved.training.r_drop else 1)
    return rows | {"in all": sum(rows.values())}


def _shapes(pairs: Pairs, batch_tokens: int) -> set[tuple[int, ...]]:
    """B, S and T of every batch."""
    lengths = pairs.source.lengths, pairs.target.lengths
    return {
        (len(rows), *(int(batches.padded(side[rows].max())) for side in lengths))
        for rows in batches.plan(pairs, batch_tokens)
    }


def _activations(resolved: Config, vocabulary: int, number: int, *shape: int) -> int:
    """What the forward pass keeps for the backward pass of a batch, in bytes; `number` is those of one number."""
    b, s, t = shape
    e, d = resolved.model.embedding, resolved.model.units
    # A step of an LSTM keeps 4 pre-activations, 6 records and 4 slopes a unit, and hands on 2.
    encoder = resolved.model.encoder_layers * b * s * d * 16
    decoder = resolved.model.decoder_layers * b * t * d * 16
    attention = b * t * (2 * s + 2 * d)
    embeddings = 2 * b * (s + t) * e
    scores = 3 * number  # logits, softmax and slope
    if resolved.training.r_drop:
        scores += number + 4 * 4  # logits once more; two predictions and their slopes in float32
    return number * (encoder + decoder + attention + embeddings) + scores * b * t * vocabulary


def _sizes(run: Run, resolved: Config, sides: list[Tokenizer]) -> dict[str, int]:
    return {name: len(side) for name, side in zip(run.sides(resolved), sides, strict=True)}


def _shares(counts: Mapping[str, int]) -> list[str]:
    whole = sum(counts.values())
    rows = [_row(name, f"{count:,}", f"{100 * count / whole:5.1f} %") for name, count in counts.items()]
    return [*rows, _row("in all", f"{whole:,}")]


def _row(name: str, value: str, share: str = "") -> str:
    return f"  {name:<40}{value:>14}  {share}".rstrip()
