"""A run made to end in time: its configuration and tokenizers, found by measuring.

It owns the order of measuring and choosing; it does not know the ladder or the stop-watch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from seq2seq.config import Config
from seq2seq.pipeline import budget as budgets
from seq2seq.pipeline import measurement
from seq2seq.pipeline.budget import Budget, Cost
from seq2seq.pipeline.run import Run

Say = Callable[[str], None]


def fit(
    run: Run,
    candidates: Sequence[Config],
    budget: Budget,
    *,
    learn: Callable[[Config], Config],
    epochs: int | None,
    say: Say,
    measure: Callable[[Run, Config], Cost] | None = None,
) -> Config:
    """The first candidate that ends in time, with its epochs; its tokenizers lie in the run folder then.

    Arguments:
        candidates: from large to small.
        learn: writes the tokenizers of a configuration and returns it with their size.
        epochs: how many the user insists on.
        measure: the cost of a configuration whose tokenizers have been written; a test's.

    Raises:
        PipelineError: none ends in time.
    """
    ready: list[Config] = []

    def cost(candidate: Config) -> Cost:
        ready.append(learn(candidate))
        return (measure or measurement.measure)(run, ready[-1])

    choice = budgets.choose(candidates, cost, budget, epochs=epochs)  # the one that was measured last
    chosen = budgets.with_epochs(ready[-1], choice.epochs)
    for line in budgets.describe(choice, chosen, budget):
        say(line)
    return chosen
