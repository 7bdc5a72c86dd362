"""Calibration: from the model's own probability of a translation to the chance that it is right.

It fits and judges two numbers on held-out text; it does not know how anything is translated.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

RIGHT = 50.0
"""A translation counts as right from this chrF with its reference on."""
SENTENCES = 100
"""Fewest that a calibration is fitted on."""
EACH = 10
"""Fewest right ones, and fewest wrong ones, among them."""
BINS = 10

_PRIOR = 1.0
"""Strength of the pull towards a slope of 0, in sentences; so a perfectly split set has a finite slope."""
_ROUNDS = 50


class CalibrationError(ValueError):
    """There is not enough text to calibrate on."""


class NotMeasuredError(ValueError):
    """A model is to be as sure as somebody wants, and nobody has measured how sure it may be."""


class Bin(msgspec.Struct, frozen=True):
    """The translations whose confidence lies in one tenth of the scale."""

    sentences: int
    confidence: float
    """Their mean confidence."""
    right: float
    """The share of them that is right."""


class Calibration(msgspec.Struct, frozen=True):
    """Confidence is sigmoid(bias + slope * the mean log-probability of a piece).

    Source: Platt 1999, "Probabilistic outputs for support vector machines".
    """

    bias: float
    slope: float
    sentences: int
    """How many it was fitted on."""
    right: float = RIGHT
    """The chrF from which on a translation counted as right."""
    bins: tuple[Bin, ...] = ()
    """How it did on text that it was not fitted on, from the least confident on; empty bins are left out."""

    def confidence(self, log_prob: float, pieces: int) -> float:
        """The estimated chance, from 0 to 1, that a translation is right.

        Arguments:
            log_prob: natural logarithm of the probability of the whole, end of sentence included.
            pieces: how many pieces it has, end of sentence included.
        """
        return float(_sigmoid(self.bias + self.slope * log_prob / max(1, pieces)))

    @property
    def error(self) -> float | None:
        """Expected calibration error: by how much confidence misses the share that is right; None where not judged.

        Source: Naeini, Cooper and Hauskrecht 2015.
        """
        total = sum(each.sentences for each in self.bins)
        return sum(abs(each.confidence - each.right) * each.sentences for each in self.bins) / total if total else None


def check(calibration: Calibration | None, model: object) -> None:
    """Refuses to judge translations by a confidence that a model does not have.

    Raises:
        NotMeasuredError: it was never measured.
    """
    if calibration is None:
        raise NotMeasuredError(
            "A least confidence needs a model whose confidence was measured: seq2seq calibrate does. "
            f"Received: {model}, of which it was not"
        )


def fit(log_probs: Sequence[float], chrf: Sequence[float]) -> Calibration:
    """The calibration of translations that have references.

    Arguments:
        log_probs: of each translation the mean log-probability of its pieces, at most 0.
        chrf: of each with its reference, 0 to 100.

    Raises:
        CalibrationError: there are fewer than 100, or fewer than 10 right or wrong ones, or the more probable
            translations are not the better ones.
    """
    right = np.asarray(chrf) >= RIGHT
    if len(right) < SENTENCES or min(right.sum(), (~right).sum()) < EACH:
        raise CalibrationError(
            f"A calibration needs {SENTENCES} sentences, of which {EACH} are translated well and {EACH} badly. "
            f"Received: {len(right)} sentences, {int(right.sum())} translated well"
        )
    features = np.stack([np.ones(len(right)), np.asarray(log_probs, np.float64)], axis=1)
    bias, slope = _newton(features, right.astype(np.float64))
    if slope <= 0:
        raise CalibrationError(
            "A calibration needs a model whose more probable translations are the better ones. "
            f"Received: one where they are not, on {len(right)} sentences"
        )
    return Calibration(round(bias, 6), round(slope, 6), len(right))


def judge(calibration: Calibration, log_probs: Sequence[float], chrf: Sequence[float]) -> Calibration:
    """The calibration with its `bins` filled from translations that it was not fitted on."""
    confidence = np.array([calibration.confidence(each, 1) for each in log_probs])
    right = np.asarray(chrf) >= calibration.right
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = tuple(
        Bin(int(inside.sum()), round(float(confidence[inside].mean()), 4), round(float(right[inside].mean()), 4))
        for inside in (places == number for number in range(BINS))
        if inside.any()
    )
    return msgspec.structs.replace(calibration, bins=bins)


def _newton(features: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """Logistic regression by Newton's method; the slope is drawn towards 0, the bias is free."""
    weights = np.zeros(2)
    prior = np.array([0.0, _PRIOR])
    for _ in range(_ROUNDS):
        chances = _sigmoid(features @ weights)
        slope = features.T @ (chances - right) + prior * weights
        curvature = (features.T * (chances * (1 - chances))) @ features + np.diag(prior) + 1e-9 * np.eye(2)
        weights = weights - np.linalg.solve(curvature, slope)
    return float(weights[0]), float(weights[1])


def _sigmoid(values: np.ndarray | float) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-np.clip(values, -60.0, 60.0)))
