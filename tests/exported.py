"""A model as small as one can be, and its exports, each made once for all tests that look at it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seq2seq import bundle
from seq2seq.config import build
from seq2seq.tokenizer import Tokenizer, train

SENTENCES = ["The cat sat on the mat.", "A dog ran.", "Where do they sleep at night?"]
REFERENCES = ["Die Katze.", "Ein Hund.", "Wo schlafen sie?"]
LIMITS = {"max_length": 8}  # roundings of a random network grow with every piece that it says


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> bundle.Bundle:
    """A random model, its weights large so that it is sure of what it says."""
    pytest.importorskip("tensorflow")
    from safetensors.numpy import save

    from seq2seq.model import Seq2Seq

    pieces = train(SENTENCES * 9, vocabulary=285)
    sizes = {"embedding": 6, "units": 8, "encoder_layers": 1, "decoder_layers": 1}
    config = build({"source_language": "en", "target_language": "de", "model": sizes, "search": LIMITS})
    network = Seq2Seq(config.model, len(Tokenizer(pieces)))
    draw = np.random.default_rng(1)
    arrays = {weight.path: draw.normal(0, 0.8, weight.shape).astype(np.float16) for weight in network.weights}
    files = {"tokenizer.model": pieces, "weights.safetensors": save(arrays), "README.md": b"# A card\n"}
    path = tmp_path_factory.mktemp("tiny") / "en-de"
    return bundle.write(path, config=config, files=files, provenance={}, scores=[])


@pytest.fixture(scope="session")
def exported(tiny, tmp_path_factory):
    """Gives the folder of an export."""
    from seq2seq import export

    folders: dict[str, Path] = {}
    root = tmp_path_factory.mktemp("exported")

    def exported(form: str, precision: str = "") -> Path:
        key = form + precision
        if key not in folders:
            folders[key] = export.export(
                tiny,
                form,
                root / key,
                precision=precision,
                sentences=SENTENCES,
                references=REFERENCES,
                origin="the test",
            )
        return folders[key]

    return exported
