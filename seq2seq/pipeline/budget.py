"""A budget of time: which network and how many epochs of it end in time on this machine.

It owns the ladder of networks and the choice among them; it does not know how their cost is measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from seq2seq import config
from seq2seq.config import Config
from seq2seq.pipeline.run import PipelineError

LADDER = (
    # embedding, units, vocabulary, learning rate, dropout
    (192, 384, 6000, 1.3e-3, 0.2),
    (128, 256, 4000, 2e-3, 0.1),
    (96, 192, 2000, 2.5e-3, 0.1),
    (64, 128, 1000, 3e-3, 0.1),
)
"""The networks below the default ones; each rung costs about half of the one above."""
EPOCHS = 6
"""A network that cannot finish so many gives way to the next smaller one."""
LONGER = 1.5
"""Most epochs of a budget, in those of the default recipe: more would learn the corpus by heart."""
MARGIN = 0.9
"""The share of what is left that is planned for; the rest is for a machine that has other work too."""


@dataclass(frozen=True)
class Budget:
    """Time that a whole run may take.

    Arguments:
        seconds: from `begun` to the finished model folder.
        begun: on the clock.
        clock: `time.monotonic`, or a test's.
    """

    seconds: float
    begun: float
    clock: Callable[[], float] = time.monotonic

    @property
    def left(self) -> float:
        return self.seconds - (self.clock() - self.begun)


@dataclass(frozen=True)
class Before:
    """What happens before a training."""

    preflight: bool = True
    """Whether a network of the same kind is tried on a few pairs."""
    budget: Budget | None = None
    """Time that the run must end in."""


AS_USUAL = Before()


@dataclass(frozen=True)
class Cost:
    """Seconds that training a configuration takes on this machine."""

    epoch: float
    """An epoch, without what follows it."""
    validation: float
    """What follows each epoch."""
    around: float
    """What comes once: preflight, compiling, averaging, export and scoring."""
    rate: float
    """Target pieces a second while training."""

    def total(self, epochs: int) -> float:
        return self.around + epochs * (self.epoch + self.validation)


@dataclass(frozen=True)
class Choice:
    """What ends in time."""

    epochs: int
    cost: Cost
    reduced: bool
    """Whether it is smaller than the default for the corpus."""


def rungs(pairs: int, settings: Mapping[str, Any], fixed: Mapping[str, Any]) -> list[Config]:
    """The configurations to try, from the default for so many pairs downwards.

    Arguments:
        settings: what the user asked for, which wins.
        fixed: what was found out, such as the languages.
    """
    default = config.defaults(pairs)
    found = [config.build(default, dict(settings), dict(fixed))]
    plain = config.build(default)
    for embedding, units, vocabulary, rate, dropout in LADDER:
        if units >= plain.model.units:
            continue
        rates = {name: min(dropout, getattr(plain.model, name)) for name in ("embedding_dropout", "dropout")}
        smaller = {
            "tokenizer": {"vocabulary": min(vocabulary, plain.tokenizer.vocabulary)},
            "model": {"embedding": embedding, "units": units, **rates, "readout_dropout": rates["dropout"]},
            "training": {"learning_rate": max(rate, plain.training.learning_rate)},
        }
        rung = config.build(default, smaller, dict(settings), dict(fixed))
        found += [rung] if work(rung) < work(found[-1]) else []
    return found


def work(resolved: Config) -> int:
    """Multiplications of the network for a piece, in proportion."""
    sizes, vocabulary = resolved.model, resolved.tokenizer.vocabulary
    e, d = sizes.embedding, sizes.units
    encoder = 4 * d * (e + d // 2) + (sizes.encoder_layers - 1) * 4 * d * (d + d // 2)
    decoder = 4 * d * (e + d) + (sizes.decoder_layers - 1) * 4 * d * 3 * d
    return encoder + decoder + 2 * d * e + e * vocabulary


def choose(
    candidates: Sequence[Config], measure: Callable[[Config], Cost], budget: Budget, *, epochs: int | None = None
) -> Choice:
    """The first candidate of which enough epochs end in time, with as many as do.

    Arguments:
        candidates: from large to small.
        measure: what training one costs; it takes time itself, so hopeless ones are not measured.
        budget: of the whole run.
        epochs: how many the user insists on.

    Raises:
        PipelineError: not even the smallest one ends in time.
    """
    measured: tuple[Config, Cost] | None = None
    for number, candidate in enumerate(candidates):
        last = number == len(candidates) - 1
        enough = epochs or min(EPOCHS, candidate.training.epochs)
        if measured and not last:
            large, its = measured
            if its.epoch * work(candidate) / work(large) * enough > budget.left:
                continue
        cost = measure(candidate)
        measured = measured or (candidate, cost)
        most = epochs or max(1, int(LONGER * candidate.training.epochs))
        possible = min(most, int((budget.left * MARGIN - cost.around) // (cost.epoch + cost.validation)))
        if possible >= enough or (last and not epochs and possible >= 1):
            return Choice(possible, cost, number > 0)
    wanted = epochs or 1
    raise PipelineError(
        f"A budget must be enough for {say_epochs(wanted)} of the smallest network, about "
        f"{say_time((budget.seconds - budget.left) + cost.total(wanted) / MARGIN)} here. "
        f"Received: {say_time(budget.seconds)}"
    )


def say_time(seconds: float) -> str:
    """About how long, for people."""
    if seconds < 10:
        return f"{seconds:.1f} seconds"
    if seconds < 100:
        return f"{seconds:.0f} seconds"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"


def say_epochs(count: int) -> str:
    return f"{count} {'epochs' if count > 1 else 'epoch'}"


def describe(choice: Choice, resolved: Config, budget: Budget) -> Iterator[str]:
    """What was chosen, and why it should end in time."""
    sizes, cost, epochs = resolved.model, choice.cost, choice.epochs
    network = f"embedding {sizes.embedding}, units {sizes.units}, {resolved.tokenizer.vocabulary:,} pieces"
    yield (
        f"budget of {say_time(budget.seconds)}: {say_epochs(epochs)} of "
        f"{'a smaller network' if choice.reduced else 'the network that suits the corpus'} ({network})"
    )
    yield (
        f"    {cost.rate:,.0f} target pieces a second; {say_time(cost.epoch)} an epoch and {say_time(cost.validation)} "
        f"of validation after it, {say_time(cost.around)} for preflight, export and scoring; "
        f"{say_time(cost.total(epochs))} of the {say_time(max(0.0, budget.left))} that are left"
    )


def with_epochs(resolved: Config, epochs: int) -> Config:
    """The configuration with a schedule of so many epochs."""
    return msgspec.structs.replace(resolved, training=msgspec.structs.replace(resolved.training, epochs=epochs))
