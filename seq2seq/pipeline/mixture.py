"""How often the pairs of several corpora are seen.

It owns weights and which rows an epoch has for them; it does not know text or batches.
"""

from __future__ import annotations

import numpy as np

from seq2seq.config import Config
from seq2seq.pipeline.run import PipelineError, Run


def check(weights: tuple[float, ...], corpora: int) -> None:
    """Refuses weights that are not as many as there are corpora.

    Raises:
        PipelineError: they are not.
    """
    if weights and len(weights) != corpora:
        raise PipelineError(f"There must be a weight for each corpus. Received: {len(weights)}, for {corpora} corpora")


def weights(run: Run, resolved: Config) -> np.ndarray | None:
    """The weight of each line of the training text; None where no corpus has one."""
    if not resolved.corpus.weights:
        return None
    counts = run.report["corpora"]
    return np.repeat(resolved.corpus.weights, counts)


def rows(often: np.ndarray, seed: int) -> np.ndarray:
    """Each row as often as its weight says; what is left of a weight is the probability of once more.

    >>> rows(np.array([1.0, 3.0]), seed=0)
    array([0, 1, 1, 1])

    Raises:
        PipelineError: not one of them is among them.
    """
    whole = np.floor(often).astype(np.int64)
    more = np.random.default_rng(seed).random(len(often)) < often - whole
    seen = np.repeat(np.arange(len(often)), whole + more)
    if not len(seen):
        raise PipelineError(f"Every epoch must have pairs; raise a --weight. Received: none, of {len(often):,}")
    return seen
