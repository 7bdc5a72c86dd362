"""When a training has gone astray: numbers that are none, a perplexity far above its best.

It owns the limits and the sentences that say what to change; it does not know how training works or what is kept of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

RISE = 3.0
"""An epoch whose training perplexity is this many times the best epoch's has unlearned; a bad batch does far less."""
WINDOW = 200
"""Batches after which a running epoch is judged by these alone: epochs of a large corpus take hours."""


def in_step(loss: float, norm: float) -> str | None:
    """What is wrong after a step, if anything is.

    Arguments:
        loss: of its batch.
        norm: of the gradient, before clipping.
    """
    if not math.isfinite(loss):
        return f"The loss must stay finite; lower training.learning_rate, in a new run. Received: {loss}"
    if not math.isfinite(norm):
        return (
            "The norm of the gradient must stay finite; lower training.learning_rate, or set training.precision to "
            f"float32, in a new run. Received: {norm}"
        )
    return None


def in_epoch(perplexities: Sequence[float], *, warm: int, chance: float) -> str | None:
    """What is wrong after an epoch or a part of one, if anything is.

    The perplexity of the training text decides: that of the validation set also rises where a small corpus is learned
    by heart, which is no accident.

    Arguments:
        perplexities: of every epoch so far, last the one that just ended, or what is judged of the running one.
        warm: epochs that the learning rate rises in; until their end an epoch is compared with `chance` alone.
        chance: the perplexity of who knows nothing, which a training begins with: pieces of the target vocabulary.
    """
    *before, now = perplexities
    best = chance if len(before) < warm else min([chance, *before])
    if now <= RISE * best:
        return None
    return (
        "The perplexity must not rise far above its best; lower training.learning_rate or raise training.warmup_steps, "
        f"in a new run. Received: {now:.2f}, after {best:.2f}"
    )
