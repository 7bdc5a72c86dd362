"""Settings that suit what is trained: the defaults that depend on more than the setting itself.

It owns what changes with the size of a corpus; it does not know how settings are merged or checked.
"""

from __future__ import annotations

from typing import Any

from seq2seq.config.sections import Config, CorpusConfig, TrainingConfig


def defaults(pairs: int) -> dict[str, Any]:
    """Settings that suit a corpus of this many sentence pairs, as a nested dictionary to start from."""
    if pairs < 3_000:
        return {
            "tokenizer": {"vocabulary": 800},
            "model": {
                "embedding": 128,
                "units": 256,
                "embedding_dropout": 0.1,
                "dropout": 0.1,
                "readout_dropout": 0.1,
            },
            "training": {"batch_tokens": 400, "epochs": 16, "learning_rate": 3e-3, "warmup_steps": 100},
        }
    if pairs < 15_000:
        return {
            "tokenizer": {"vocabulary": 3000},
            "training": {"batch_tokens": 600, "warmup_steps": 300, "sampling": 0.3},
        }
    if pairs < 60_000:
        return {"training": {"sampling": 0.3}}
    return {
        "model": {"embedding_dropout": 0.2, "dropout": 0.2, "readout_dropout": 0.2, "word_dropout": 0.1},
        "training": {"batch_tokens": 2400, "epochs": 12},
    }


OWN = {"weights": (), "valid": CorpusConfig().valid, "test": CorpusConfig().test}
"""Of a corpus, what tells of its files and not of its text: nobody inherits it."""


def fine_tuning(parent: Config, pairs: int) -> dict[str, Any]:
    """What differs from the settings of a trained model where it is trained further, on this many pairs.

    A tenth of the usual learning rate and few epochs: what it knows already should be bent, not written over. Of few
    pairs, such as the corrections of a week, come as many steps as of a thousand, or nothing would move.
    """
    epochs = max(6, min(60, 6000 // max(1, pairs)))
    usual = defaults(pairs).get("training", {}).get("batch_tokens", TrainingConfig().batch_tokens)
    return {
        "corpus": OWN,
        "training": {
            "guided_attention": 0.0,
            "learning_rate": 1e-4,
            "final_learning_rate": 1e-5,
            "schedule": "cosine",
            "warmup_steps": min(50, max(10, pairs // 20)),
            "epochs": epochs,
            "patience": max(epochs, parent.training.patience),
            "batch_tokens": min(usual, parent.training.batch_tokens),
            "accumulate": 1,
            "precision": "auto",
        },
    }
