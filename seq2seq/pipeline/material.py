"""What is trained and on what: the clean text as ids, and the network of a configuration.

It owns which pairs are left out and how sides are encoded; it does not know the loop or the order of a run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from seq2seq import batches, precision
from seq2seq.batches import Pairs
from seq2seq.config import Config
from seq2seq.model import Seq2Seq
from seq2seq.pipeline import guiding, mixture
from seq2seq.pipeline.run import PipelineError, Run
from seq2seq.splits import Splits
from seq2seq.tokenizer import Tokenizer

Say = Callable[[str], None]
Resample = Callable[[int], Pairs] | None


def tokenizers(run: Run, resolved: Config) -> list[Tokenizer]:
    """Those of source and target that lie in the run folder."""
    return [Tokenizer.load(run.folder / name) for name in run.sides(resolved)]


def encode(run: Run, resolved: Config, sides: Sequence[Tokenizer], say: Say) -> tuple[Pairs, Pairs, Resample]:
    """The pairs to train on and to validate on, and what draws the former anew for an epoch, if anything does."""
    kept, valid, chosen = plain(run, resolved, sides, say)
    wanted, weights = resolved.training, mixture.weights(run, resolved)
    if not wanted.sampling and weights is None:
        return kept, valid, None
    splits: Splits | None = None
    if wanted.sampling:
        texts = run.text("train", resolved.source_language)
        source = [text for text, keep in zip(texts, chosen, strict=True) if keep]
        splits = Splits(source, sides[0], wanted.sampling, longest=wanted.max_tokens)

    def drawn(epoch: int) -> Pairs:
        seed = batches.epoch_seed(wanted.seed, epoch)
        pairs = dataclasses.replace(kept, source=splits.draw(seed)) if splits else kept
        return pairs if weights is None else pairs.take(mixture.rows(weights[chosen], seed))

    return kept, valid, drawn


def first_epoch(run: Run, resolved: Config, sides: Sequence[Tokenizer], say: Say) -> tuple[Pairs, Pairs, int]:
    """The pairs of the first epoch and those to validate on, split as usual, and how many pairs are kept.

    That is what a training's cost depends on.
    """
    kept, valid, chosen = plain(run, resolved, sides, say)
    weights = mixture.weights(run, resolved)
    seed = batches.epoch_seed(resolved.training.seed, 0)
    return (kept if weights is None else kept.take(mixture.rows(weights[chosen], seed))), valid, len(kept)


def plain(run: Run, resolved: Config, sides: Sequence[Tokenizer], say: Say) -> tuple[Pairs, Pairs, np.ndarray]:
    """The pairs to train on and to validate on, split as usual, and which of the training text the former are."""
    languages = resolved.source_language, resolved.target_language

    def pairs(texts: Iterable[Iterable[str]]) -> Pairs:
        source, target = (batches.encode(*each, run.data) for each in zip(texts, sides, strict=True))
        return Pairs(source, target)

    wanted = resolved.training
    train = (run.lines("train", language) for language in languages)
    everything = guiding.guided(run, resolved, sides, pairs=pairs(train), say=say)
    chosen = batches.within(everything, wanted.max_tokens)
    kept = everything.keep(chosen)
    if out := len(everything) - len(kept):
        share = f", {out / len(everything):.0%} of all" if 10 * out > len(everything) else ""
        say(f"{out:,} pairs are left out{share}: a side has more than training.max_tokens = {wanted.max_tokens} pieces")
    if not len(kept):
        raise PipelineError("There must be pairs to train on; look at training.max_tokens. Received: none")
    return kept, pairs(run.pair("valid", resolved)), chosen


def left_out(run: Run, resolved: Config, kept: int) -> dict[str, int]:
    """Of the training text, the pairs beside those that are kept, by the reason; empty where there are none."""
    count = int(run.report["splits"]["train"]) - kept
    return {f"left out of train: over {resolved.training.max_tokens} pieces": count} if count else {}


def vocabularies(resolved: Config, sides: Sequence[Tokenizer]) -> tuple[int, int | None]:
    """Pieces of the source and of the target; None is one table for both."""
    return len(sides[0]), None if resolved.tokenizer.joint else len(sides[1])


def network(resolved: Config, sides: Sequence[Tokenizer]) -> Seq2Seq:
    """A fresh network of this configuration."""
    return Seq2Seq(resolved.model, *vocabularies(resolved, sides), dtype=precision.policy(resolved.training.precision))
