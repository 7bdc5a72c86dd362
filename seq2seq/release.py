"""From trained weights to a model folder: export, score, write the card.

It owns what goes into the folder and what is measured on it; it does not know how the weights came about.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from safetensors.numpy import save as serialise

from seq2seq import bundle, card, evaluation, export, inference
from seq2seq.bundle import Bundle
from seq2seq.config import Config
from seq2seq.translator import Translator

Pair = tuple[Sequence[str], Sequence[str]]

BEAMS = (1, 5)


def release(
    path: Path,
    config: Config,
    arrays: Mapping[str, np.ndarray],
    *,
    tokenizers: Mapping[str, Path],
    tests: Mapping[str, Pair],
    provenance: Mapping[str, Any],
    say: Callable[[str], None],
) -> Bundle:
    """Writes a model folder, measures it, and writes it again with its scores and its card.

    Arguments:
        path: the model folder.
        config: the resolved configuration.
        arrays: weights by path, rounded to float16 already.
        tokenizers: files by the name they have in the folder.
        tests: source and reference sentences by name; an empty one is skipped.
        provenance: how the model was made, plain JSON.
        say: called with each line of progress.
    """
    say("exporting")
    graph = inference.Inference(inference.build(config, arrays))
    files: dict[str, bytes | Path] = {
        **tokenizers,
        "model.tflite": export.litert(graph, quantised=True),
        "weights.safetensors": serialise({name: np.ascontiguousarray(array) for name, array in arrays.items()}),
    }
    bundle.write(path, config=config, files=files, provenance=provenance, scores=[])
    scores = [
        score
        for engine in ("litert", "tensorflow")
        for name, pair in tests.items()
        if pair[0]
        for score in _scores(Translator.load(path, engine=engine), name, pair, say)
    ]
    files["README.md"] = card.write(config, provenance, scores).encode()
    return bundle.write(path, config=config, files=files, provenance=provenance, scores=scores)


def _scores(translator: Translator, name: str, pair: Pair, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """BLEU, chrF and TER of greedy and beam search on one test set, each with its signature."""
    rows = []
    for beam in BEAMS:
        search = msgspec.structs.replace(translator.config.search, beam=beam, n_best=1)
        begun = time.perf_counter()
        translations = [each.text for each in translator(list(pair[0]), search=search)]
        seconds = time.perf_counter() - begun
        scores = evaluation.score(translations, list(pair[1]))
        row = {"test": name, "engine": translator.engine_name, "beam": beam}
        row |= {"length_penalty": search.length_penalty, **dataclasses.asdict(scores), "seconds": round(seconds, 2)}
        say(f"{name}, {translator.engine_name}, beam {beam}: BLEU {row['bleu']:.1f}, chrF {row['chrf']:.1f}")
        rows.append(row)
    return rows
