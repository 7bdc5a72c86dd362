"""Our engines, and the loop of Keras' tutorials, as processes that decode.

    python contenders.py ENGINE MODEL EXPORTS THREADS

It owns how each is called; how they are timed is `workers.serve`'s.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import workers
from workers import Decode, Ids

from seq2seq import bundle
from seq2seq.engine import EOS, LiteRTEngine, TensorFlowEngine, batching
from seq2seq.engine.batching import Arrays, Job

BOS = 2
ENGINES = ("litert-int8", "litert-float32", "tensorflow", "saved_model")
NAIVE = ("keras-predict", "keras-call")


def searched(translate: Callable[..., Any], model: bundle.Bundle) -> Decode:
    """What has the interface of an engine's `translate`."""

    def decode(sources: Sequence[Ids], beam: int, steps: int) -> list[list[int]]:
        search = msgspec.structs.replace(model.config.search, beam=beam, n_best=1)
        return [list(best[0].ids) for best in translate(sources, search)]

    return decode


def saved_model(folder: Path, threads: int) -> Callable[..., Any]:
    """The exported SavedModel's own signature, with the batches of the engines."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    signature = tf.saved_model.load(str(folder)).signatures["translate"]

    def run(jobs: Sequence[Job]) -> list[Arrays]:
        called = (signature(**{name: tf.constant(value) for name, value in inputs.items()}) for _, inputs in jobs)
        return [{name: value.numpy() for name, value in outputs.items()} for outputs in called]

    return lambda sources, search: batching.translate(run, sources, search)


def naive(model: bundle.Bundle, threads: int, *, predict: bool) -> Decode:
    """Greedy as tutorials do it: for each piece the whole network reads the source and all pieces before it again."""
    import keras
    import tensorflow as tf

    from seq2seq import inference

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    network: Any = inference.network(model)
    ids = tf.TensorSpec((None, None), tf.int32)
    compiled = tf.function(network, input_signature=[(ids, ids)], autograph=False)  # any length without a new trace

    class Predictor(keras.Model):
        """What `predict` is called on."""

        def call(self, inputs: Any) -> Any:
            return compiled(inputs)

    predictor = Predictor()
    search = model.config.search

    def logits(source: np.ndarray, target: np.ndarray) -> np.ndarray:
        if predict:
            return predictor.predict((source, target), verbose=0)
        return network((tf.constant(source), tf.constant(target))).numpy()

    def one(source: Ids) -> list[int]:
        read, said = np.array([[*source, EOS]], np.int32), [BOS]
        for _ in range(search.max_length or int(search.max_ratio * read.size) + 10):
            best = EOS + int(logits(read, np.array([said], np.int32))[0, -1, EOS:].argmax())  # no padding, no start
            if best == EOS:
                break
            said.append(best)
        return said[1:]

    return lambda sources, beam, steps: [one(source) for source in sources]


def main(engine: str, model: Path, exports: Path, threads: int) -> None:
    opened = bundle.load(model)
    if engine == "litert-int8":
        decode = searched(LiteRTEngine(opened.read("model.tflite"), threads=threads).translate, opened)
    elif engine == "litert-float32":
        content = (exports / "litert" / "model.tflite").read_bytes()
        decode = searched(LiteRTEngine(content, threads=threads).translate, opened)
    elif engine == "tensorflow":
        decode = searched(TensorFlowEngine(opened, threads=threads).translate, opened)
    elif engine == "saved_model":
        decode = searched(saved_model(exports / "saved_model_ids", threads), opened)
    else:
        decode = naive(opened, threads, predict=engine == "keras-predict")
    workers.serve(decode)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
