"""Joey NMT's recurrent model on the corpus and the tokenizer of one of our runs, for `curves.py` to compare.

    python benchmarks/joey_training.py runs/m30k ~/joey-m30k --joey ~/joey/bin/python
    python benchmarks/curves.py seq2seq=runs/m30k joeynmt=$HOME/joey-m30k

It owns the settings of the training: those of Joey NMT's recurrent examples, with the rates and the batches of ours.
Its plateau schedule fails with a current PyTorch, hence the exponential one. An environment for it: see README.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

import joey
from curves import LOG

from seq2seq import Tokenizer, config


def vocabulary(tokenizer: Tokenizer) -> str:
    """Joey NMT's specials, then the pieces but ours."""
    return "".join(f"{piece}\n" for piece in (*joey.NAMES.values(), *tokenizer.pieces(range(4, len(tokenizer)))))


def settings(run: Path, output: Path, *, epochs: int, every: int) -> dict[str, Any]:
    """What Joey NMT reads, for the run folder `run` of a joint tokenizer."""
    ours = config.build(config.load(run / "config.yaml"))
    sizes, training = ours.model, ours.training

    def side(language: str) -> dict[str, Any]:
        return {
            "lang": language,
            "level": "bpe",
            "lowercase": False,
            "max_length": training.max_tokens,
            "voc_file": str(output / "vocab.txt"),
            "tokenizer_type": "sentencepiece",
            "tokenizer_cfg": {"model_file": str(run / "tokenizer.model")},
        }

    data = {name: str(run / "data" / name) for name in ("train", "test")} | {"dev": str(run / "data" / "valid")}
    return {
        "name": "recurrent",
        "joeynmt_version": "2.3.0",
        "model_dir": str(output / LOG.parent),
        "use_cuda": False,
        "fp16": False,
        "random_seed": training.seed,
        "data": data
        | {"dataset_type": "plain", "src": side(ours.source_language), "trg": side(ours.target_language)}
        | {"special_symbols": joey.NAMES | joey.IDS},
        "training": {
            "optimizer": "adam",
            "learning_rate": 0.001,
            "learning_rate_min": 0.00001,
            "scheduling": "exponential",
            "decrease_factor": 0.9,
            "patience": 5,
            "clip_grad_norm": training.clip_norm,
            "batch_size": training.batch_tokens,
            "batch_type": "token",
            "normalization": "tokens",
            "loss": "crossentropy",
            "label_smoothing": training.label_smoothing,
            "epochs": epochs,
            "validation_freq": every,
            "logging_freq": every // 10,
            "shuffle": True,
            "keep_best_ckpts": 1,
            "early_stopping_metric": "bleu",
        },
        "testing": {"beam_size": 5, "beam_alpha": 1.0, "batch_size": 64, "batch_type": "sentence"}
        | {"eval_metrics": ["bleu"], "max_output_length": 80, "n_best": 1},
        "model": joey.network(
            embedding=sizes.embedding,
            units=sizes.units,
            encoder_layers=sizes.encoder_layers,
            decoder_layers=sizes.decoder_layers,
            embedding_dropout=sizes.embedding_dropout,
            dropout=sizes.dropout,
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run folder of `seq2seq train`")
    parser.add_argument("output", type=Path, help="a new folder")
    parser.add_argument("--joey", required=True, help="the interpreter of its environment")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--every", type=int, default=500, help="steps between validations, a multiple of 10")
    arguments = parser.parse_args()
    run, output = arguments.run.resolve(), arguments.output.resolve()
    if not (run / "tokenizer.model").exists():
        parser.error(f"run must be a run folder with a joint tokenizer. Received: {arguments.run}")
    output.mkdir(parents=True)
    tokenizer = Tokenizer((run / "tokenizer.model").read_bytes())
    (output / "vocab.txt").write_text(vocabulary(tokenizer), encoding="utf-8")
    given = settings(run, output, epochs=arguments.epochs, every=arguments.every)
    told = output / "joeynmt.yaml"  # JSON is YAML, but for numbers without a point
    told.write_text(json.dumps(given, indent=1).replace(" 1e-", " 1.0e-"), encoding="utf-8")
    subprocess.run([arguments.joey, "-m", "joeynmt", "train", str(told), "--skip-test"], check=True)


if __name__ == "__main__":
    main()
