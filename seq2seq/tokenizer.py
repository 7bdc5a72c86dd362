"""SentencePiece, set up so that no input is ever lost: train, load, encode, decode, sample.

It owns the four special ids and what a sentence looks like to the model; it knows no corpus, no batch and no language.
"""

from __future__ import annotations

import functools
import io
import itertools
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Literal

import sentencepiece

Form = Literal["NFC", "NFKC"]
PAD, UNK, BOS, EOS = 0, 1, 2, 3
SPECIALS = ("<pad>", "<unk>", "<s>", "</s>")
_BYTES = 256
BARE = len(SPECIALS) + _BYTES  # pieces of every vocabulary, whatever the text
_COVERAGE = 0.99995  # a character that is rarer than one in 20,000 is spelt with the pieces of its bytes
_LONGEST = 1 << 14  # bytes of a sentence; longer ones teach the vocabulary nothing that shorter ones do not
_SENTENCES = 1_000_000  # a random draw of so many is as good as all, and bounds the memory
_BEST = 64  # splits of a sentence that sampling chooses from
_SPACE = "\u2581"  # SentencePiece's own sign for a space
_REMOVED = "\u00ad\ufeff\ufffe\uffff"  # soft hyphen, byte order mark and what a swapped byte order leaves


class TokenizerError(ValueError):
    """A tokenizer cannot be trained as asked, or a model is not one of ours.

    Attributes:
        largest: the largest vocabulary that the corpus supports, where one larger was asked for; else 0.
        smallest: the smallest one that has a piece for each of its characters, where a smaller was asked for; else 0.
    """

    def __init__(self, message: str, *, largest: int = 0, smallest: int = 0) -> None:
        super().__init__(message)
        self.largest, self.smallest = largest, smallest


def train(
    sentences: Iterable[str],
    *,
    vocabulary: int,
    kind: str = "unigram",
    symbols: Sequence[str] = (),
    form: Form = "NFC",
) -> bytes:
    """Trains a SentencePiece model; the same sentences in the same order give the same bytes.

    The model carries its own cleaning, so whatever runs it (this package, TensorFlow Text, C++) sees the same
    sentence: Unicode `form`, every white space a single space, control characters and soft hyphens removed. All else
    stays as it is, so decoding gives clean text back to the letter; SentencePiece's own nmt_nfkc would turn "½" into
    "1⁄2" and "…" into "...". Characters outside the vocabulary become the pieces of their UTF-8 bytes, never UNK.

    Args:
        sentences: text to learn from, both languages for a joint vocabulary.
        vocabulary: number of pieces, the 4 specials, the 256 bytes and the symbols included.
        kind: "unigram" or "bpe".
        symbols: pieces that are never split, such as "<name>".
        form: "NFC", or "NFKC" to unify compatibility characters (full-width letters, ligatures) as well.

    Raises:
        TokenizerError: the corpus is empty or too small for the vocabulary (the message names the largest size that
            works) or has too many characters for it (the smallest), or a symbol cannot be a piece.
    """
    if kind not in ("unigram", "bpe"):
        raise TokenizerError(f"A tokenizer's kind must be unigram or bpe. Received: {kind!r}")
    if form not in ("NFC", "NFKC"):
        raise TokenizerError(f"A Unicode form must be NFC or NFKC. Received: {form!r}")
    _check_symbols(symbols)
    model = io.BytesIO()
    failures: list[BaseException] = []
    sentencepiece.set_min_log_level(2)  # it tells the terminal of every table it compiles
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_usable(sentences, failures),
            model_writer=model,
            model_type=kind,
            vocab_size=vocabulary,
            user_defined_symbols=list(symbols),
            normalizer=_normaliser(form),
            byte_fallback=True,
            character_coverage=_COVERAGE,
            max_sentence_length=_LONGEST,
            input_sentence_size=_SENTENCES,
            shuffle_input_sentence=True,
            num_threads=2,  # fixed: another number adds the same counts in another order, and other pieces may win
            pad_id=PAD,
            unk_id=UNK,
            bos_id=BOS,
            eos_id=EOS,
        )
    except RuntimeError as error:
        if failures:
            raise failures[0] from None
        raise _refusal(str(error), vocabulary) from None
    return model.getvalue()


class Tokenizer:
    """Text to piece ids and back.

    Any `str` is accepted, and `decode(encode(text))` is the text after cleaning (see `train`). Methods may be called
    from several threads at once.

        >>> tokenizer = Tokenizer(train(["the cat sat", "the dog sat"] * 9, vocabulary=272))
        >>> tokenizer.decode(tokenizer.encode("  the \\tzoo… "))
        'the zoo…'
        >>> tokenizer.pieces(tokenizer.encode("sat é"))
        ['▁sat', '▁', '<0xC3>', '<0xA9>']

    Args:
        model: the bytes that `train` returned.

    Raises:
        TokenizerError: the bytes are no SentencePiece model, or one without our special ids and byte pieces.
    """

    def __init__(self, model: bytes) -> None:
        try:
            if not model:  # SentencePiece takes no bytes for a model to be loaded later
                raise RuntimeError
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        except RuntimeError:
            raise TokenizerError(f"A tokenizer must be a SentencePiece model. Received: {len(model)} bytes") from None
        self.model = model
        self._size = len(self._processor)
        self._score = self._processor.get_score
        head = tuple(self._processor.id_to_piece(list(range(min(self._size, len(SPECIALS))))))
        if head != SPECIALS or sum(map(self._processor.is_byte, range(self._size))) != _BYTES:
            raise TokenizerError(
                f"A tokenizer must begin with {', '.join(SPECIALS)} and hold the {_BYTES} byte pieces. "
                f"Received: {', '.join(head)} and {self._size} pieces"
            )

    @classmethod
    def load(cls, path: str | Path) -> Tokenizer:
        """Reads a model file."""
        try:
            model = Path(path).read_bytes()
        except OSError as error:
            raise TokenizerError(f"A tokenizer must be a readable file. Received: {path} ({error.strerror})") from None
        try:
            return cls(model)
        except TokenizerError as error:
            raise TokenizerError(f"{error} from {path}") from None

    def __len__(self) -> int:
        return self._size

    def encode(self, text: str) -> list[int]:
        """Piece ids without BOS and EOS; nothing but white space is an empty list."""
        return self._processor.encode(_utf8(text))

    def ends(self, text: str) -> list[int]:
        """Where in the text each piece of `encode(text)` ends, in bytes; of byte pieces the last has a character."""
        return [piece.end for piece in self._processor.encode(_utf8(text), return_type="proto").pieces]

    def sample(self, text: str, alpha: float, *, seed: int) -> list[int]:
        """One of the many ways to split the text, for training; the same seed gives the same split in every process.

        A unigram model draws one of the 64 best splits x with probability in proportion to P(x) ** alpha (Kudo 2018);
        a BPE model leaves out each merge with probability alpha (Provilkov et al. 2020). SentencePiece's own sampling
        is not used because its generator is salted anew in every process, and a resumed run would differ.

        Args:
            text: one sentence.
            alpha: 0.1 to 0.2 is usual; 0 turns sampling off.
            seed: another number for each sentence and epoch.
        """
        if alpha == 0:
            return self.encode(text)
        draw = Random(int(seed))
        splits, scores = self.splits(text)
        if not splits:
            characters = self._processor.encode(_utf8(text), enable_sampling=True, nbest_size=-1, alpha=1)
            return self._merge(characters, alpha, draw)
        best = max(scores)
        return draw.choices(splits, [math.exp(alpha * (score - best)) for score in scores])[0]

    def splits(self, text: str) -> tuple[list[list[int]], list[float]]:
        """The 64 best ways to split the text, best first, and their log-probabilities; none of a BPE model."""
        try:
            splits = self._processor.nbest_encode(_utf8(text), nbest_size=_BEST)
        except RuntimeError:  # which is how SentencePiece says that this is a BPE model
            return [], []
        return splits, [sum(map(self._score, split)) for split in splits]

    @functools.cached_property
    def _table(self) -> dict[str, int]:
        return {piece: number for number, piece in enumerate(self.pieces(range(self._size)))}

    def _merge(self, ids: list[int], alpha: float, draw: Random) -> list[int]:
        """Joins characters to pieces, the best pair first; a pair is overlooked for good with probability alpha."""
        pieces = self.pieces(ids)
        seen = [draw.random() >= alpha for _ in pieces]  # the pair that begins at each piece
        while True:
            pairs = [left + right for left, right in itertools.pairwise(pieces)]
            scores = {
                at: self._score(self._table[pair]) for at, pair in enumerate(pairs) if seen[at] and pair in self._table
            }
            if not scores:
                return [self._table[piece] for piece in pieces]
            at = max(scores, key=scores.__getitem__)
            pieces[at : at + 2] = [pairs[at]]
            seen[max(at - 1, 0) : at + 2] = [draw.random() >= alpha for _ in range(min(at, 1) + 1)]

    def decode(self, ids: Iterable[int]) -> str:
        """Text of the pieces; specials are dropped, and the result is one clean line whatever bytes it is made of."""
        text = self._processor.decode([number for number in self._known(ids) if number >= len(SPECIALS)])
        return self._processor.normalize(_utf8(text).decode()).replace(_SPACE, " ").strip(" ")

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """The pieces as they stand in the vocabulary, for display: "▁" begins a word, "<0x41>" is a byte."""
        return self._processor.id_to_piece(self._known(ids))

    def _known(self, ids: Iterable[int]) -> list[int]:
        numbers = [int(number) for number in ids]
        for number in numbers:
            if not 0 <= number < self._size:
                raise TokenizerError(f"A piece id must be from 0 to {self._size - 1}. Received: {number}")
        return numbers


def _utf8(text: str) -> bytes:
    """Without lone surrogates, which UTF-8 cannot hold, and NUL, which the model's cleaning cannot name."""
    return text.encode("utf-8", "ignore").replace(b"\0", b"")


def _usable(sentences: Iterable[str], failures: list[BaseException]) -> Iterator[bytes]:
    """The sentences with something in them. An error on the way is kept, since SentencePiece makes it another."""
    try:
        for sentence in sentences:
            text = _utf8(sentence)
            if text.strip():
                yield text
    except BaseException as error:
        failures.append(error)
        raise


def _check_symbols(symbols: Sequence[str]) -> None:
    for symbol in symbols:
        plain = symbol == symbol.strip() and symbol and not re.search(rf"\s|{_SPACE}|\0", symbol)
        if not plain or symbol in SPECIALS or re.fullmatch("<0x[0-9A-F]{2}>", symbol):
            raise TokenizerError(
                f"A symbol must be text without white space that is no special piece. Received: {symbol!r}"
            )
    if len(set(symbols)) < len(symbols):
        raise TokenizerError(f"Symbols must differ from each other. Received: {', '.join(symbols)}")


def _refusal(message: str, vocabulary: int) -> TokenizerError:
    """SentencePiece's complaint about a line of its own source, as one about the user's corpus."""
    if found := re.search(r"Please set it to a value <= (\d+)", message):
        text = f"This corpus supports a vocabulary of at most {found[1]} pieces. Received: {vocabulary}"
        return TokenizerError(text, largest=int(found[1]))
    if found := re.search(r"smaller than required_chars\. \d+ vs (\d+)", message):
        text = f"The characters of this corpus need a vocabulary of at least {found[1]} pieces. Received: {vocabulary}"
        return TokenizerError(text, smallest=int(found[1]))
    if "sentences_.empty()" in message or "all_chars_count" in message:
        return TokenizerError(
            f"A tokenizer needs a sentence to learn from, of at most {_LONGEST} bytes. Received: none"
        )
    reason = message.rpartition("]")[2].strip() or message
    return TokenizerError(f"A tokenizer must be trainable with SentencePiece. Received: {reason}")


@functools.cache
def _normaliser(form: Form) -> sentencepiece.SentencePieceNormalizer:
    """The cleaning that `train` describes, as a table from character sequences to what replaces them."""
    table = dict.fromkeys(_REMOVED, "") | {_SPACE: "_"}
    for character in map(chr, range(1, 0x30000)):  # nothing beyond has another spelling
        if character.isspace():
            table[character] = " "
        elif unicodedata.category(character) == "Cc":
            table[character] = ""
        elif unicodedata.normalize("NFKD", character) != character:
            whole = unicodedata.normalize(form, character)
            table.update((spelling, whole) for spelling in _spellings(character, form) if spelling != whole)
    del table[" "]
    return sentencepiece.SentencePieceNormalizer(norm_map=sorted(table.items()))


def _spellings(character: str, form: Form) -> Iterator[str]:
    """The character and the sequences that Unicode holds equal to it: its marks apart, in every order."""
    yield character
    apart = unicodedata.normalize("NFD", character)
    for marks in itertools.permutations(apart[1:]):
        spelling = apart[0] + "".join(marks)
        if unicodedata.normalize(form, spelling) == unicodedata.normalize(form, character):
            yield spelling
            yield unicodedata.normalize("NFC", spelling[:2]) + spelling[2:]
