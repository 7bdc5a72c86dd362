"""A model that spells its source backwards: the real search and graph around a script in the place of a network."""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
from pathlib import Path

import pytest

from seq2seq import bundle, config, tokenizer

WORDS = "der Hund die Katze das Haus ein Baum rot blau gut . , ! ? ja nein 我 走 了 。"
LANGUAGES = {"source_language": "en", "target_language": "de"}


@functools.cache
def tokens() -> tokenizer.Tokenizer:
    """Words as single pieces, most of them."""
    words = WORDS.split()
    sentences = [" ".join(words[(i * k) % len(words)] for k in range(1, 6)) for i in range(1, 60)]
    return tokenizer.Tokenizer(tokenizer.train(sentences, vocabulary=305))


OLD = ("attention_bias", "present", "k")
"""The inputs that graphs of older models lack."""


@functools.cache
def graph(*, older: bool = False) -> bytes:
    """The compiled graph, from the folder for temporary files if it has been made of the same code before."""
    package = Path(config.__file__).parents[1]
    files = (Path(__file__), *sorted((package / "search").glob("*.py")), package / "inference.py")
    code = b"".join(path.read_bytes() for path in files)
    name = f"seq2seq-scripted-{hashlib.sha256(code).hexdigest()[:16]}{'-older' * older}.tflite"
    kept = Path(tempfile.gettempdir()) / name
    if not kept.exists():
        partial = kept.with_suffix(f".{os.getpid()}")
        partial.write_bytes(compiled(older=older))
        partial.replace(kept)
    return kept.read_bytes()


def compiled(*, older: bool = False) -> bytes:
    """The compiled graph, or one as it was before some inputs existed.

    Its best translation is the source backwards, and the next best say i + 1 for a piece i.
    """
    tf = pytest.importorskip("tensorflow")
    from seq2seq import inference, search

    vocabulary = len(tokens())
    constrained_inputs, explain_inputs = (
        {name: spec for name, spec in specs.items() if not (older and name in OLD)}
        for specs in (inference.CONSTRAINED, inference.EXPLAIN)
    )

    def scripted(source):
        """The piece to say at each of S + 1 steps, (B, S + 1), and where it stands, (B, S + 1)."""
        pieces = tf.reduce_sum(tf.cast(source > search.EOS, tf.int32), axis=1)
        shape = tf.stack([tf.shape(source)[0], tf.shape(source)[1] + 1])
        steps = tf.zeros(shape, tf.int32) + tf.range(shape[1])
        place = tf.maximum(tf.expand_dims(pieces, 1) - 1 - steps, 0)
        rows = tf.expand_dims(tf.range(shape[0]) * tf.shape(source)[1], 1) + place
        said = tf.reshape(tf.gather(tf.reshape(source, (-1,)), tf.reshape(rows, (-1,))), shape)
        return tf.where(steps < tf.expand_dims(pieces, 1), said, search.EOS), place

    def found(specs, inputs):
        source, *wanted = inputs
        named = dict(zip(list(specs)[1:], wanted, strict=True))
        named.pop("attention_bias", None)
        present = named.pop("present", tf.ones(tf.shape(source)))
        script, places = scripted(source)

        def step(_, state, __):
            script, places, t, present = state  # (N, S + 1), (N, S + 1), (N, 1), (N, S)
            now = tf.one_hot(tf.minimum(t[:, 0], tf.shape(script)[1] - 1), tf.shape(script)[1], dtype=tf.int32)
            said = tf.reduce_sum(script * now, axis=1)
            attention = tf.one_hot(tf.reduce_sum(places * now, axis=1), tf.shape(script)[1] - 1)
            seen = tf.reduce_sum(attention * present, axis=1, keepdims=True)  # what is hidden is not known
            logits = 9.0 * seen * tf.one_hot(said, vocabulary) + 7.0 * tf.one_hot(said + 1, vocabulary)
            return search.Step(logits, attention, (script, places, t + 1, present))

        options = inference.options(named)
        state = (script, places, tf.zeros(tf.stack([tf.shape(source)[0], 1]), tf.int32), present)
        named = search.beam_search(step, search.Sources(state, (), source > 0), options)._asdict()
        record = named.pop("record")
        return named | {f"record_{name}": value for name, value in record._asdict().items()}

    def translate(*inputs):
        return found(inference.TRANSLATE, inputs)

    def constrained(*inputs):
        return found(constrained_inputs, inputs)

    def explain(source, target, _=None, k=5):
        """Numbers that tell which axis is which: 10 * direction or layer + gate, plus the piece's id / 1000."""
        _, places = scripted(source)
        steps = tf.shape(target)[1]
        places = tf.concat([places, tf.zeros_like(target)], axis=1)[:, :steps]
        six = tf.reshape(tf.range(6.0), (6, 1, 1, 1))
        read = tf.expand_dims(tf.cast(source, tf.float32) / 1000.0, -1) + six  # (6, B, S, 1)
        said = tf.expand_dims(tf.cast(target, tf.float32) / 1000.0, -1) + six + tf.zeros(2)  # (6, B, T, 2)
        several = tf.expand_dims(target, -1) + tf.range(tf.reshape(k, ()))
        return {
            "attention": tf.one_hot(places, tf.shape(source)[1]),
            "log_probs": -tf.cast(target, tf.float32),
            "entropy": tf.cast(target, tf.float32),
            "alternatives": several,
            "alternative_log_probs": -tf.cast(several, tf.float32),
            "encoder": tf.expand_dims(tf.stack([read, read + 10.0]), 0),
            "decoder": tf.stack([said, said + 10.0]),
        }

    module = tf.Module()
    module.translate = tf.function(translate, input_signature=list(inference.TRANSLATE.values()), autograph=False)
    module.constrained = tf.function(constrained, input_signature=list(constrained_inputs.values()), autograph=False)
    module.explain = tf.function(explain, input_signature=list(explain_inputs.values()), autograph=False)
    return convert(module)


def convert(module, *, eight_bit: bool = False) -> bytes:
    """A module with an engine's signatures as LiteRT's file."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        names = ("translate", "constrained", "explain", "gradient")
        signatures = {name: getattr(module, name) for name in names if getattr(module, name, None)}
        tf.saved_model.save(module, folder, signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(signatures))
        converter.optimizations = [tf.lite.Optimize.DEFAULT] if eight_bit else []
        return converter.convert()


def write(path: Path, *, older: bool = False) -> Path:
    """The scripted model as a folder."""
    files = {"tokenizer.model": tokens().model, "model.tflite": graph(older=older)}
    bundle.write(path, config=config.build(LANGUAGES), files=files, provenance={}, scores=[])
    return path
