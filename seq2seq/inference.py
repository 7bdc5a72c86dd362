"""The one inference graph: ids to hypotheses, and ids with ids to an explanation.

It joins the model's own encode and decode with the search, in operations that LiteRT has as builtins; the engines,
the exports and validation during training all run these functions and no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from seq2seq import flow, weights
from seq2seq.bundle import LATER, SIGNATURES, Bundle, BundleError, Member
from seq2seq.config import Config
from seq2seq.ensemble import Ensemble
from seq2seq.model import Seq2Seq
from seq2seq.search import BOS, Constraints, Options, Sampling, Sources, Step, beam_search

TRANSLATE = {
    "source": tf.TensorSpec((None, None), tf.int32, "source"),
    "max_length": tf.TensorSpec((None,), tf.int32, "max_length"),
    "beam": tf.TensorSpec((1,), tf.int32, "beam"),
    "n_best": tf.TensorSpec((1,), tf.int32, "n_best"),
    "length_penalty": tf.TensorSpec((1,), tf.float32, "length_penalty"),
    "word_reward": tf.TensorSpec((1,), tf.float32, "word_reward"),
    "coverage_penalty": tf.TensorSpec((1,), tf.float32, "coverage_penalty"),
}

CONSTRAINED = TRANSLATE | {
    "min_length": tf.TensorSpec((None,), tf.int32, "min_length"),
    "prefix": tf.TensorSpec((None, None), tf.int32, "prefix"),
    "forbidden": tf.TensorSpec((None, None, None), tf.int32, "forbidden"),
    "required": tf.TensorSpec((None, None, None), tf.int32, "required"),
    "no_repeat": tf.TensorSpec((1,), tf.int32, "no_repeat"),
    "temperature": tf.TensorSpec((1,), tf.float32, "temperature"),
    "top_k": tf.TensorSpec((1,), tf.int32, "top_k"),
    "top_p": tf.TensorSpec((1,), tf.float32, "top_p"),
    "diversity": tf.TensorSpec((1,), tf.float32, "diversity"),
    "uniform": tf.TensorSpec((None, None), tf.float32, "uniform"),
    "attention_bias": tf.TensorSpec((None, None), tf.float32, "attention_bias"),
    "present": tf.TensorSpec((None, None), tf.float32, "present"),
}

EXPLAIN = {
    "source": tf.TensorSpec((None, None), tf.int32, "source"),
    "target": tf.TensorSpec((None, None), tf.int32, "target"),
    "attention_bias": tf.TensorSpec((None, None), tf.float32, "attention_bias"),
    "k": tf.TensorSpec((1,), tf.int32, "k"),
}

SALIENCY = [
    tf.TensorSpec((None,), tf.int32, "source"),
    tf.TensorSpec((None,), tf.int32, "target"),
    tf.TensorSpec((None,), tf.float32, "attention_bias"),
    tf.TensorSpec((None,), tf.int32, "steps"),
]
TOGETHER = 512
"""Most target pieces in the rows of one pass of the saliency: each has all logits, and what flows back to them."""

GRADIENT = {
    "source": tf.TensorSpec((None, None), tf.int32, "source"),
    "target": tf.TensorSpec((None, None), tf.int32, "target"),
    "attention_bias": tf.TensorSpec((None, None), tf.float32, "attention_bias"),
    "step": tf.TensorSpec((1,), tf.int32, "step"),
}


class Inference(tf.Module):
    """The functions over one model, compiled once for every shape.

    translate: the search with what every search needs
    constrained: the same search, with what must or must not be said, and with sampling
    explain: all that goes on while a given translation is said
    gradient: what flows back from one piece of it; None of an ensemble
    saliency: what each source piece does to each piece of it, for TensorFlow alone
    """

    def __init__(self, model: Seq2Seq | Ensemble) -> None:
        super().__init__()
        self.model: Any = model  # either, for each knows its own state and memory
        self.numbers = [weight.value for weight in model.weights]  # what an export must see to carry the weights
        self.translate = tf.function(self._translate, list(TRANSLATE.values()), autograph=False)
        self.constrained = tf.function(self._constrained, list(CONSTRAINED.values()), autograph=False)
        self.explain = tf.function(self._explain, list(EXPLAIN.values()), autograph=False)
        self.saliency = tf.function(self._saliency, SALIENCY, autograph=False)
        self.gradient = None
        if isinstance(model, Seq2Seq):
            self.gradient = tf.function(self._gradient, list(GRADIENT.values()), autograph=False)

    @property
    def signatures(self) -> dict[str, Any]:
        """What a file holds, by name."""
        every = {name: getattr(self, name) for name in (*SIGNATURES, *LATER)}
        return {name: function for name, function in every.items() if function is not None}

    def _translate(self, source, *wanted):
        """Source ids (B, S) to hypotheses: see `search.Hypotheses` for the shapes of what is returned by name."""
        return self._search(source, options(dict(zip(list(TRANSLATE)[1:], wanted, strict=True))))

    def _constrained(self, source, *wanted):
        """`translate` with more demands: see `search.Constraints` and `search.Sampling`.

        attention_bias (B, S) is added to the scores of source pieces, and present (B, S) multiplies their embeddings.
        """
        named = dict(zip(list(CONSTRAINED)[1:], wanted, strict=True))
        bias, present = named.pop("attention_bias"), named.pop("present")
        return self._search(source, options(named), present=present, bias=bias)

    def _search(self, source, wanted: Options, **read: Any):
        memory, state = self.model.encode(source, **read)

        def step(tokens: tf.Tensor, state: Any, memory: Any) -> Step:
            said = self.model.decode(tokens, state, memory)
            return Step(said.logits, said.attention, said.state)

        named = beam_search(step, Sources(state, memory, memory.mask), wanted)._asdict()
        record = named.pop("record")
        return named | {f"record_{name}": value for name, value in record._asdict().items()}

    def _explain(self, source, target, bias, k):
        """Source ids (B, S) and the pieces said of them with EOS (B, T), to all that went on.

        Returns by name: attention (B, T, S); log_probs, entropy (B, T); alternatives and alternative_log_probs
        (B, T, k); encoder (L, 2, 6, B, S, D / 2) and decoder (L, 6, B, T, D), the axis of six being i f g o c h.
        The last two of an ensemble are its first member's.
        """
        memory, state = self.model.encode(source, bias=bias)
        before = _before(target)
        said = self.model.decode(before, state, memory)
        log_probs = said.logits - tf.reduce_logsumexp(said.logits, axis=-1, keepdims=True)
        likely, pieces = tf.math.top_k(log_probs, tf.reshape(k, ()))
        encoder, decoder = self.model.trace(source, before, state, memory)
        return {
            "attention": said.attention,
            "log_probs": _of_pieces(log_probs, target),
            "entropy": -tf.reduce_sum(tf.exp(log_probs) * log_probs, axis=-1),
            "alternatives": pieces,
            "alternative_log_probs": likely,
            "encoder": tf.stack([tf.stack([tf.stack(list(each)) for each in pair]) for pair in encoder]),
            "decoder": tf.stack([tf.stack(list(each)) for each in decoder]),
        }

    def _gradient(self, source, target, bias, step):
        """The log-probability of target[:, step], back to every state: norms over the units of its derivatives.

        Rows must have no padding. Returns by name: encoder (L, 2, 2, B, S) and decoder (L, 2, B, T), the axis of two
        before B being c h.
        """
        memory, state = self.model.encode(source, bias=bias)
        at = tf.reshape(step, (1,))
        read, written = self.model.trace(source, _before(target), state, memory)
        piece = tf.squeeze(tf.gather(target, at, axis=1), 1)
        flows, dvalues, dstart = flow.decoder_flow(
            self.model.decoder, written, state, memory, piece=piece, step=tf.reshape(step, ())
        )
        back = flow.encoder_flow(self.model.encoder, read, dvalues, dstart)
        return {
            "encoder": tf.stack([tf.stack([flow.norms(each) for each in pair]) for pair in back]),
            "decoder": tf.stack([flow.norms(each) for each in flows]),
        }

    def _saliency(self, source, target, bias, steps):
        """Gradient times input, (R, S): row r of the log-probability of target[steps[r]], of ids (S,) and (T,).

        Hiding a piece multiplies its embedding by 0, so the derivative by that factor is what hiding does to first
        order. Every step has a row of a batch, so that one pass backwards is enough for all of them.
        """
        rows = tf.stack([tf.size(steps), 1])
        sources, targets, biases = (tf.tile(tf.expand_dims(each, 0), rows) for each in (source, target, bias))
        present = tf.ones(tf.shape(sources))
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(present)
            memory, state = self.model.encode(sources, present=present, bias=biases)
            logits = self.model.decode(_before(targets), state, memory).logits
            log_probs = _of_pieces(logits - tf.reduce_logsumexp(logits, axis=-1, keepdims=True), targets)
            own = tf.reduce_sum(log_probs * tf.one_hot(steps, tf.size(target)))
        return tape.gradient(own, present)


def options(wanted: Mapping[str, tf.Tensor]) -> Options:
    """The inputs of a signature by name, as the search takes them: what has shape (1,) there is a scalar here."""
    flat = {name: tf.reshape(value, ()) if CONSTRAINED[name].shape == (1,) else value for name, value in wanted.items()}

    def part(kind: Any) -> Any:
        return kind(**{name: flat[name] for name in kind._fields if name in flat})

    more = {"constraints": part(Constraints), "sampling": part(Sampling)} if "prefix" in flat else {}
    return part(Options)._replace(**more)


class Runner:
    """An `Inference` called with numpy arrays by name, as the signatures of a LiteRT file are."""

    def __init__(self, inference: Inference) -> None:
        self._inference = inference

    def translate(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """`Inference.translate` of arrays named as in `TRANSLATE`."""
        return _called(self._inference.translate, TRANSLATE, inputs)

    def constrained(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """`Inference.constrained` of arrays named as in `CONSTRAINED`."""
        return _called(self._inference.constrained, CONSTRAINED, inputs)

    def explain(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """`Inference.explain` of arrays named as in `EXPLAIN`; those behind the target may be left out."""
        usual = {"attention_bias": np.zeros(np.shape(inputs["source"]), np.float32), "k": [5]}
        return _called(self._inference.explain, EXPLAIN, usual | inputs)

    @property
    def gradient(self) -> Any:
        """`Inference.gradient` of arrays named as in `GRADIENT`; None of an ensemble."""
        function = self._inference.gradient
        return None if function is None else lambda **inputs: _called(function, GRADIENT, inputs)

    def saliency(self, source: Sequence[int], target: Sequence[int], bias: Sequence[float]) -> np.ndarray:
        """`Inference.saliency` of every step of one pair, as many at a time as fit into memory."""
        pair = (tf.constant(source, tf.int32), tf.constant(target, tf.int32), tf.constant(bias, tf.float32))
        steps = np.array_split(np.arange(len(target)), -(-(len(target) ** 2) // TOGETHER))
        return np.concatenate([self._inference.saliency(*pair, tf.constant(each, tf.int32)).numpy() for each in steps])


def load(bundle: Bundle) -> Runner:
    """The float32 graph of a model folder's weights."""
    return Runner(Inference(network(bundle)))


def network(bundle: Bundle) -> Seq2Seq | Ensemble:
    """The float32 network of a model folder, ready for inference; one of a single model also for further training.

    Raises:
        BundleError: a file was altered, or its weights are not those of the configuration.
    """
    arrays = weights.load(bundle)
    try:
        return together(bundle.members, arrays) if bundle.members else build(bundle.config, arrays)
    except BundleError as error:
        raise BundleError(f"{error}, in {bundle.path}") from None


def build(config: Config, arrays: Mapping[str, np.ndarray]) -> Seq2Seq:
    """The float32 network of a configuration, with weights by path; their shapes tell the sizes of the vocabularies.

    Raises:
        BundleError: a weight is missing or has another shape.
    """
    model = Seq2Seq(config.model, *weights.vocabularies(config.model, arrays))
    for weight in model.weights:
        received = arrays[weight.path].shape if weight.path in arrays else None
        if received != tuple(weight.shape):
            raise BundleError(f"{weight.path} must have shape {tuple(weight.shape)}. Received: {received}")
    for weight in model.weights:
        weight.assign(arrays[weight.path].astype(np.float32))
    return model


def together(members: Sequence[Member], arrays: Mapping[str, np.ndarray]) -> Ensemble:
    """The float32 networks of an ensemble, with the weights of all members."""
    return Ensemble([build(member.config, member.own(arrays)) for member in members])


def _called(function: Any, specs: Mapping[str, tf.TensorSpec], inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    tensors = [tf.constant(inputs[name], spec.dtype) for name, spec in specs.items()]
    return {name: value.numpy() for name, value in function(*tensors).items()}


def _before(target):
    """The pieces before each of these (B, T): BOS, and all but the last."""
    return tf.concat([tf.fill(tf.stack([tf.shape(target)[0], 1]), BOS), target[:, :-1]], axis=1)


def _of_pieces(log_probs, target):
    """log_probs[b, t, target[b, t]], (B, T)."""
    vocabulary = log_probs.shape[-1]
    rows = tf.range(tf.size(target)) * vocabulary + tf.reshape(target, (-1,))
    return tf.reshape(tf.gather(tf.reshape(log_probs, (-1,)), rows), tf.shape(target))
