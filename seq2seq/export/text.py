"""Strings in, strings out: the tokenizers and the inference graph as one SavedModel.

It owns how strings become the inputs of the graph and back; it does not know how a file is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from seq2seq import inference
from seq2seq.bundle import Bundle
from seq2seq.config import SearchConfig
from seq2seq.engine import MAX_SOURCE, batching
from seq2seq.export import limits
from seq2seq.export.certificate import ExportError
from seq2seq.inference import CONSTRAINED, Inference
from seq2seq.tokenizer import EOS, Tokenizer

SEARCH = {
    "text": tf.TensorSpec((None,), tf.string, "text"),
    "prefix": tf.TensorSpec((None,), tf.string, "prefix"),
    "required": tf.TensorSpec((None, None), tf.string, "required"),
    "forbidden": tf.TensorSpec((None, None), tf.string, "forbidden"),
    "seed": tf.TensorSpec((1,), tf.int32, "seed"),
    "min_length": tf.TensorSpec((1,), tf.int32, "min_length"),
    "max_length": tf.TensorSpec((1,), tf.int32, "max_length"),
} | {name: spec for name, spec in CONSTRAINED.items() if spec.shape == (1,)}
"""Inputs of the signature `search`: see `TextInference`."""

EXPLAIN = {name: SEARCH[name] for name in ("text", "n_best")}
"""Inputs of the signature `explain`."""


class TextInference:
    """The tokenizers and the inference graph, with three ways to ask.

    translate_text, the model's own search settings:
        text: sentences, (B,), to translation: strings (B,); score (B,); finished: 0 where the length limit cut, (B,).

    search_text, everything that the search can do:
        text, prefix: sentences and how their translations begin, "" for no matter how, (B,).
        required, forbidden: phrases that must and must not be said, "" fills, (B, C) and (B, F); pieces as they stand
            at the beginning of a word, so "Haus" does not forbid "haus".
        max_length: 0 means as the model's `max_ratio` says; seed: of what is drawn at a `temperature`, which depends
            on the place in the batch too; the others, (1,) each, as in `config.SearchConfig`.
        Returns translations: strings (B, N), best first, N being `n_best`; scores, log_probs, finished (B, N).

    explain_text, the `n_best` and how the best came about, (B, S) and (B, T) being padded with "" and 0:
        text: (B,); n_best: at least the model's own beam is searched, (1,).
        Returns translations (B, N), scores, log_probs, finished as above; source_pieces (B, S) and target_pieces
        (B, T), end of sentence included; attention (B, T, S); piece_log_probs (B, T).

    A sentence of more than 256 pieces, no sentence at all, or one of the other `limits` is an error of the call;
    nothing is cut.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.inference = Inference(inference.network(bundle))
        self.numbers = self.inference.numbers
        tokenizers = [bundle.made(name, Tokenizer) for name in bundle.tokenizers]
        self.source, self.target = (_tokenizer(each.model) for each in tokenizers)
        self._own = bundle.config.search
        self._sizes = (len(tokenizers[0]), len(tokenizers[1]))
        self._names = [tf.constant(each.pieces(range(len(each)))) for each in tokenizers]
        self._translate = with_defaults(self.inference, self._own)
        self.translate_text = tf.function(self._translate_text, input_signature=[SEARCH["text"]])
        self.search_text = tf.function(self._search_text, input_signature=list(SEARCH.values()))
        self.explain_text = tf.function(self._explain_text, input_signature=list(EXPLAIN.values()))

    def _translate_text(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        found = self._translate(self._pieces(text))
        return {
            "translation": self._said(text, found["tokens"][:, :1])[:, 0],
            "score": found["scores"][:, 0],
            "finished": found["finished"][:, 0],
        }

    def _search_text(self, *given: tf.Tensor) -> dict[str, tf.Tensor]:
        wanted = dict(zip(SEARCH, given, strict=True))
        text, seed, best = wanted.pop("text"), wanted.pop("seed"), wanted["n_best"][0]
        source = self._pieces(text)
        rows, usual = tf.shape(source)[0], longest_of(source, self._own)
        inputs = (wanted | self._demands(text, wanted)) | {
            "source": source,
            "max_length": tf.where(wanted["max_length"] > 0, wanted["max_length"], usual),
            "min_length": tf.fill([rows], wanted["min_length"][0]),
            "beam": tf.where(wanted["temperature"] > 0, wanted["n_best"], wanted["beam"]),
            "attention_bias": tf.zeros(tf.shape(source)),
            "present": tf.ones(tf.shape(source)),
        }
        inputs = limits.checked(inputs, self._sizes)
        inputs["uniform"] = _uniform(inputs, seed)
        found = self.inference.constrained(*(inputs[name] for name in CONSTRAINED))
        kept = {name: found[name][:, :best] for name in ("scores", "log_probs", "finished")}
        return {"translations": self._said(text, found["tokens"][:, :best]), **kept}

    def _explain_text(self, text: tf.Tensor, n_best: tf.Tensor) -> dict[str, tf.Tensor]:
        source = self._pieces(text)
        beam = tf.maximum(n_best, self._own.beam)
        with tf.control_dependencies(limits.search(source, beam, n_best)):
            found = with_defaults(self.inference, self._own)(source, beam, n_best)
        best, length = found["tokens"][:, 0], found["lengths"][:, 0]
        best = best[:, : tf.reduce_max(length)]
        with tf.control_dependencies(limits.explained(best, "target")):
            best = tf.identity(best)
        told = self.inference.explain(source, best, tf.zeros(tf.shape(source)), tf.constant([1]))
        said = tf.cast(tf.sequence_mask(length, tf.shape(best)[1]), tf.float32)
        kept = {name: found[name][:, : n_best[0]] for name in ("scores", "log_probs", "finished")}
        return {
            "translations": self._said(text, found["tokens"][:, : n_best[0]]),
            "source_pieces": _named(source, self._names[0]),
            "target_pieces": _named(best, self._names[1]),
            "attention": told["attention"] * tf.expand_dims(said, 2),
            "piece_log_probs": told["log_probs"] * said,
            **kept,
        }

    def _pieces(self, text: tf.Tensor) -> tf.Tensor:
        """Sentences (B,) to ids with EOS, padded, (B, S)."""
        with tf.control_dependencies(limits.rows(text)):
            pieces = self.source.tokenize(text)
        longest = tf.reduce_max(tf.concat([[0], pieces.row_lengths()], axis=0))
        least = tf.debugging.assert_less_equal(
            longest, tf.constant(MAX_SOURCE, longest.dtype), f"A sentence must have at most {MAX_SOURCE} pieces"
        )
        ends = tf.fill(tf.stack([pieces.nrows(), 1]), EOS)
        with tf.control_dependencies([least]):
            return tf.concat([pieces, ends], axis=1).to_tensor(0)

    def _said(self, text: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
        """Hypotheses (B, N, T) as strings (B, N); nothing is said of a blank sentence (B,)."""
        shape = tf.shape(tokens)
        flat = tf.reshape(tokens, (-1, shape[2]))
        said = tf.reshape(self.target.detokenize(tf.ragged.boolean_mask(flat, flat > EOS)), shape[:2])
        blank = tf.equal(self.source.tokenize(text).row_lengths(), 0)
        return tf.where(tf.expand_dims(blank, 1), "", said)

    def _demands(self, text: tf.Tensor, wanted: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """What is demanded of each sentence (B,), strings by name, as ids."""
        words = {name: wanted[name] for name in ("prefix", "required", "forbidden")}
        with tf.control_dependencies(limits.demanded(text, words)):
            return {
                "prefix": _wide(_padded(self.target.tokenize(words["prefix"]), "prefix"), 1),
                "required": self._phrases(words["required"], "required"),
                "forbidden": self._phrases(words["forbidden"], "forbidden", left=True),
            }

    def _phrases(self, phrases: tf.Tensor, name: str, *, left: bool = False) -> tf.Tensor:
        """Phrases (B, C) to ids, padded on the right or on the `left`, (B, C, L); C is at least 1, L at least 2."""
        missing = tf.maximum(0, 1 - tf.shape(phrases)[1])
        phrases = tf.concat([phrases, tf.fill(tf.stack([tf.shape(phrases)[0], missing]), "")], axis=1)
        pieces = self.target.tokenize(tf.reshape(phrases, (-1,)))
        pieces = pieces[:, ::-1] if left else pieces
        padded = _wide(_padded(pieces, name), 2)
        padded = tf.reverse(padded, [1]) if left else padded
        return tf.reshape(padded, tf.concat([tf.shape(phrases), [-1]], axis=0))


def longest_of(source: tf.Tensor, search: SearchConfig) -> tf.Tensor:
    """The most pieces of each translation, (B,), of sources (B, S)."""
    lengths = tf.reduce_sum(tf.cast(tf.not_equal(source, 0), tf.int32), axis=1)
    by_source = tf.cast(search.max_ratio * tf.cast(lengths, tf.float64), tf.int32) + batching.SPARE
    return tf.fill(tf.shape(lengths), search.max_length) if search.max_length else by_source


def with_defaults(graph: Inference, search: SearchConfig) -> Callable[..., dict[str, tf.Tensor]]:
    """The translate function with everything but the source as the model's configuration has it.

    It may be given a beam and an n_best, (1,) each, in the place of the model's own.
    """

    def translate(source: tf.Tensor, *chosen: tf.Tensor) -> dict[str, tf.Tensor]:
        beam, n_best = chosen or map(tf.constant, ([search.beam], [min(search.n_best, search.beam)]))
        settings = (search.length_penalty, search.word_reward, search.coverage_penalty)
        return graph.translate(
            source, longest_of(source, search), beam, n_best, *(tf.constant([value]) for value in settings)
        )

    return translate


def _named(ids: tf.Tensor, names: tf.Tensor) -> tf.Tensor:
    """The pieces of ids, padding being "". A look-up in a table, for `id_to_string` ends the process at a wrong id."""
    return tf.where(tf.equal(ids, 0), "", tf.gather(names, ids))


def _padded(pieces: Any, name: str) -> tf.Tensor:
    """Ragged ids (N, None) with padding behind them, once it is known that none are too many."""
    with tf.control_dependencies(limits.lengths(pieces.row_lengths(), name)):
        return pieces.to_tensor(0)


def _uniform(inputs: Mapping[str, tf.Tensor], seed: tf.Tensor) -> tf.Tensor:
    """What is drawn at a temperature, (T, B N); else one number, which nothing uses. Of inputs that were checked."""
    each = tf.stack([tf.reduce_max(inputs["max_length"]), tf.shape(inputs["source"])[0] * inputs["beam"][0]])
    shape = tf.where(inputs["temperature"] > 0, each, 1)
    return tf.random.stateless_uniform(shape, tf.stack([seed[0], 0]))


def _wide(ids: tf.Tensor, least: int) -> tf.Tensor:
    """Ids (N, L) with columns of padding, so that there are enough."""
    return tf.pad(ids, [[0, 0], [0, tf.maximum(0, least - tf.shape(ids)[1])]])


def _tokenizer(model: bytes) -> Any:
    try:
        import tensorflow_text
    except ImportError:
        raise ExportError(
            "The format saved_model needs tensorflow-text (there is none for Windows); saved_model_ids does without. "
            "Received: an environment without it"
        ) from None
    return tensorflow_text.SentencepieceTokenizer(model=model, out_type=tf.int32)
