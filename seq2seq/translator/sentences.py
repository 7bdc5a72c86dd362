"""Sentences to hypotheses: each is searched, judged, and searched again where what came out is at fault.

It owns demands as pieces and what a second search is asked for; it does not know texts of several sentences.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from seq2seq.config import SearchConfig
from seq2seq.engine import MAX_SOURCE, Demands, Engine, Hypothesis
from seq2seq.tokenizer import Tokenizer
from seq2seq.translator import attending, checks, spans
from seq2seq.translator.spans import Span
from seq2seq.translator.terms import Terms, either_case, says, whole
from seq2seq.translator.text import is_spaceless

Ids = tuple[int, ...]

ROUNDS = 6
"""Most searches for one sentence."""
WIDEST = 16
"""Beam to which required pieces widen a narrower one."""

_PART = 32  # sentences that are searched between two chances to stop
_LONGEST_SPELLING = 24  # pieces of a forbidden phrase
_ANCHOR = "\U00100000"  # a character of no language, so it never shares a piece with what follows it


@dataclass(frozen=True)
class Sentence:
    """One sentence, made ready, and what is demanded of its translation."""

    text: str
    ids: Ids
    prefix: str = ""
    required: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    attention_bias: tuple[float, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What a hypothesis is, and where it fails its sentence."""

    text: str
    cut: bool
    loops: bool
    lost: tuple[str, ...]
    spans: tuple[Span, ...]
    said: tuple[str, ...]

    @property
    def weight(self) -> tuple[bool, bool, int]:
        """The smaller, the better: a whole translation comes before one without loops, and that before demands."""
        return self.cut or not self.text, self.loops, len(self.lost) + len(self.spans) + len(self.said)


@dataclass(frozen=True)
class Found:
    """The hypotheses of a sentence, best first, the verdict on the best, and words of the source that it skips."""

    hypotheses: tuple[Hypothesis, ...]
    verdict: Verdict
    asked: tuple[SearchConfig, Demands]
    """The search that found them."""
    skipped: tuple[str, ...] = ()
    copies: bool = False


@dataclass(frozen=True)
class _Attempt:
    """A sentence and what the search is told beyond the sentence's own demands."""

    sentence: Sentence
    spans: tuple[Span, ...] = ()
    forbidden: frozenset[Ids] = field(default_factory=frozenset)
    no_repeat: int = 0


class Searcher:
    """Searches and judges sentences.

    1. All sentences are searched together, with their prefixes and required and forbidden phrases.
    2. Where the best hypothesis lacks a protected span, says a forbidden phrase with other pieces, goes on in the
       middle of a required word, or loops, its sentence is searched again with the span required, with those pieces
       banned, or without repeats of three pieces, then two, then one; at most `ROUNDS` times.
    3. Of all that was found for a sentence the hypotheses with the best verdict are kept, the first of equals.

    Required phrases need a beam, which is widened to two more than their pieces, at most to `WIDEST`. Where pieces are
    drawn at random, spans are not required, only missed.
    """

    def __init__(self, engine: Engine, source: Tokenizer, target: Tokenizer, *, languages_differ: bool) -> None:
        self._engine = engine
        self._source = source
        self._target = target
        self._languages_differ = languages_differ
        self._between: Callable[[], object] | None = None

    def stoppable(self, between: Callable[[], object]) -> Searcher:
        """The same one, which calls `between` before every few sentences; what that raises ends the search."""
        same = copy.copy(self)
        same._between = between
        return same

    def sentence(self, text: str, terms: Terms, *, first: bool = True) -> Sentence:
        """A sentence with what the terms demand of it; a prefix only of the `first` of a text."""
        ids = tuple(self._source.encode(text))
        written = self._source.decode(ids)
        prefix, *required = map(self._written, (terms.prefix * first, *terms.required, *terms.called(written)))
        forbidden = filter(None, map(self._written, terms.forbidden))
        kept = spans.find(written) if terms.protect else ()
        bias = attending.bias(self._source, text, terms.attend)
        return Sentence(text, ids, prefix, tuple(filter(None, dict.fromkeys(required))), tuple(forbidden), kept, bias)

    def fits(self, text: str) -> bool:
        """Whether a text is short enough for one sentence."""
        return len(self._source.encode(text)) <= MAX_SOURCE

    def __call__(self, sentences: Sequence[Sentence], search: SearchConfig) -> dict[Sentence, Found]:
        """What was found for each different sentence."""
        best: dict[Sentence, Found] = {}
        attempts = [_Attempt(sentence) for sentence in dict.fromkeys(sentences)]
        for _ in range(ROUNDS):
            again = []
            for attempt, asked, hypotheses in self._searched(attempts, search):
                sentence = attempt.sentence
                found = self._judged(sentence, hypotheses, search.n_best, asked)
                if sentence not in best or found.verdict.weight < best[sentence].verdict.weight:
                    best[sentence] = found
                following = self._mended(attempt, hypotheses, found.verdict, search)
                again += [following] if following != attempt else []
            attempts = again
        return {sentence: self._completed(sentence, found) for sentence, found in best.items()}

    def judged(self, sentence: Sentence, hypothesis: Hypothesis, search: SearchConfig) -> Found:
        """A hypothesis that was given, as if it had been found."""
        return self._completed(sentence, self._judged(sentence, [hypothesis], 1, (search, Demands())))

    def _searched(
        self, attempts: Sequence[_Attempt], search: SearchConfig
    ) -> Iterator[tuple[_Attempt, tuple[SearchConfig, Demands], list[Hypothesis]]]:
        groups: dict[SearchConfig, list[tuple[_Attempt, Demands]]] = {}
        for attempt in attempts:
            demands = self._demands(attempt)
            groups.setdefault(_settings(search, attempt, demands), []).append((attempt, demands))
        for settings, group in groups.items():
            for part in self._parts(group):
                sources = [attempt.sentence.ids for attempt, _ in part]
                wanted = [demands for _, demands in part]
                asked = (wanted,) if any(each != Demands() for each in wanted) else ()
                found = self._engine.translate(sources, settings, *asked)
                for (attempt, demands), hypotheses in zip(part, found, strict=True):
                    yield attempt, (settings, demands), hypotheses

    def _parts(self, group: list[tuple[_Attempt, Demands]]) -> Iterator[list[tuple[_Attempt, Demands]]]:
        if self._between is None:
            yield group
            return
        for start in range(0, len(group), _PART):
            self._between()
            yield group[start : start + _PART]

    def _demands(self, attempt: _Attempt) -> Demands:
        sentence = attempt.sentence
        required = self._required(sentence, attempt.spans)
        forbidden = [self._encode(each) for phrase in sentence.forbidden for each in either_case(phrase)]
        forbidden += sorted(attempt.forbidden)
        return Demands(self._encode(sentence.prefix), required, tuple(forbidden), sentence.attention_bias)

    def _required(self, sentence: Sentence, kept: Sequence[Span]) -> tuple[Ids, ...]:
        phrases = [self._encode(each, glued=is_spaceless(each[0])) for each in sentence.required]
        return (*phrases, *(self._encode(span.text, glued=span.glued) for span in kept))

    def _encode(self, text: str, *, glued: bool = False) -> Ids:
        """Pieces of a text at the beginning of a word, or right behind what is no space."""
        start = len(self._target.encode(_ANCHOR)) if glued else 0
        return tuple(self._target.encode(_ANCHOR * glued + text)[start:])

    def _judged(
        self, sentence: Sentence, hypotheses: Sequence[Hypothesis], n_best: int, asked: tuple[SearchConfig, Demands]
    ) -> Found:
        """From the best that fails the sentence least on; one with a higher score that fails it more would lead it."""
        demanded = sentence.required or sentence.forbidden
        verdicts = [
            self._verdict(sentence, each) for each in (hypotheses if demanded or sentence.spans else hypotheses[:1])
        ]
        weights = [verdict.weight for verdict in verdicts]
        first = weights.index(min(weights))
        others = [
            each
            for at, each in enumerate(hypotheses)
            if at > first and each.score <= hypotheses[first].score and (not demanded or weights[at] == weights[first])
        ]
        return Found((hypotheses[first], *others)[:n_best], verdicts[first], asked)

    def _written(self, phrase: str) -> str:
        """The phrase as it would stand in a translation: in the tokenizer's Unicode form, clean."""
        return self._target.decode(self._target.encode(phrase))

    def _verdict(self, sentence: Sentence, hypothesis: Hypothesis) -> Verdict:
        text = self._target.decode(hypothesis.ids)
        lost = [each for each in sentence.required if not whole(each).search(text)]
        return Verdict(
            text=text,
            cut=not hypothesis.finished,
            loops=checks.loops(sentence.text, text),
            lost=(*([] if text.startswith(sentence.prefix) else [sentence.prefix]), *lost),
            spans=spans.missing(sentence.spans, text),
            said=tuple(each for each in sentence.forbidden if says(each, text)),
        )

    def _mended(
        self, attempt: _Attempt, hypotheses: Sequence[Hypothesis], verdict: Verdict, search: SearchConfig
    ) -> _Attempt:
        """What is tried next; the same attempt where nothing is left to try."""
        wanted = () if search.temperature else verdict.spans
        banned = set(attempt.forbidden)
        for each in hypotheses:
            banned |= {self._spelling(phrase, each.ids) for phrase in verdict.said}
            if verdict.lost or verdict.spans:
                required = self._required(attempt.sentence, attempt.spans)
                banned = banned.union(*(self._overruns(phrase, each.ids) for phrase in required))
        repeat = attempt.no_repeat or search.no_repeat
        return replace(
            attempt,
            spans=tuple(dict.fromkeys((*attempt.spans, *wanted))),
            forbidden=frozenset(banned - {()}),
            no_repeat=max(1, min(3, repeat - 1) if repeat else 3) if verdict.loops else attempt.no_repeat,
        )

    def _spelling(self, phrase: str, ids: Ids) -> Ids:
        """The fewest pieces that say the phrase; where they begin inside a word, with the piece before them."""
        for length in range(1, min(_LONGEST_SPELLING, len(ids)) + 1):
            for start in range(len(ids) - length + 1):
                if says(phrase, self._target.decode(ids[start : start + length])):
                    inside = not self._target.pieces(ids[start : start + 1])[0].startswith("▁")
                    return ids[max(0, start - inside) : start + length]
        return ()

    @functools.cached_property
    def _inner(self) -> list[int]:
        """Pieces with which a word goes on."""
        pieces = self._target.pieces(range(len(self._target)))
        return [at for at, piece in enumerate(pieces) if piece[0].isalnum() and not is_spaceless(piece[0])]

    def _overruns(self, phrase: Ids, ids: Ids) -> set[Ids]:
        """Where a word goes on that should end with the phrase: its last pieces with any piece that would go on."""
        size = len(phrase)
        said = [start for start in range(len(ids) - size) if ids[start : start + size] == phrase]
        if not any(ids[start + size] in self._inner for start in said):
            return set()
        return {(*phrase[-3:], piece) for piece in self._inner}

    def _completed(self, sentence: Sentence, found: Found) -> Found:
        if not found.verdict.text:
            return found
        skipped = checks.skipped(self._source, sentence.ids, found.hypotheses[0].coverage)
        copies = self._languages_differ and checks.copies(sentence.text, found.verdict.text)
        return replace(found, skipped=tuple(skipped), copies=copies)


def faults(found: Found) -> dict[str, str]:
    """The flags of a sentence's translation, see `checks.FLAGS`, and what is said of each."""
    verdict, best = found.verdict, found.hypotheses[0]
    lost = (*verdict.lost, *(span.text for span in verdict.spans))
    said = {
        "cut": verdict.cut and f"A translation was cut at {len(best.ids)} pieces",
        "empty": not verdict.text and "A translation came out empty",
        "lost": lost and f"A translation lacks {_listed(lost)}",
        "forbidden": verdict.said and f"A translation says {_listed(verdict.said)}, which is forbidden",
        "repeats": verdict.loops and "A translation says the same again and again",
        "copies": found.copies and "A translation is its source, or nearly",
        "skips": found.skipped and f"A translation may lack what {_listed(found.skipped)} means",
    }
    return {flag: warning for flag, warning in said.items() if warning}


def _listed(words: Sequence[str]) -> str:
    most = 5
    return ", ".join(map(repr, words[:most])) + (f" and {len(words) - most} more" if len(words) > most else "")


def _settings(search: SearchConfig, attempt: _Attempt, demands: Demands) -> SearchConfig:
    """The search of one attempt; what must fit demands gives all of its beam, so that one that fits can be chosen."""
    settings = {"no_repeat": attempt.no_repeat or search.no_repeat}
    if (demands.required or demands.forbidden) and not search.temperature:
        pieces = sum(map(len, demands.required))
        settings["beam"] = max(search.beam, min(WIDEST, 2 + pieces)) if pieces else search.beam
        settings["n_best"] = settings["beam"]
    return msgspec.structs.replace(search, **settings)
