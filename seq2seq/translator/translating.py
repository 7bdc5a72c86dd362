"""The translator: sentences of many texts through one engine, and each back to its place.

It joins tokenizers, engine and text; it owns none of their rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from seq2seq import engine as engines
from seq2seq.config import Config, SearchConfig
from seq2seq.engine import EOS, MAX_SOURCE, Engine, Hypothesis
from seq2seq.explanation import Explanation
from seq2seq.tokenizer import Tokenizer
from seq2seq.translator.text import Segment, clean, cut, one_line, split
from seq2seq.translator.translation import Candidate, Translation, best_combinations

_CHUNK_CHARACTERS = 1 << 18

Ids = tuple[int, ...]


class TranslationError(ValueError):
    """What was given is no text."""


@dataclass(frozen=True)
class _Plan:
    """A text made ready: its segments, the ids of each, and what must be said of it."""

    source: str
    segments: list[Segment]
    ids: list[Ids]
    warnings: list[str]


class Translator:
    """Translates text with a model folder.

        translator = Translator.load("runs/x")
        translator("A dog runs. A cat sleeps.").text
        [translation.text for translation in translator(["A dog.", "A cat."])]

    1. A text is split into sentences; line breaks and tabs always end one. White space between them stays as it is.
    2. A sentence of more than 256 pieces is cut at punctuation, else at spaces, and a warning says so.
    3. The sentences of all texts go through the engine in batches of similar length, each different one once.
    4. Each text is put together again; text without words comes back as it was.

    Methods may be called from several threads at once, and a result does not depend on what is translated beside it.

    Arguments:
        engine: runs the model; see `seq2seq.engine.load`.
        source: the tokenizer of what is read.
        target: the tokenizer of what is written.
        config: the model's configuration; its languages and its search settings are used.
        path: where the model lies, if it does.
    """

    def __init__(
        self, engine: Engine, source: Tokenizer, target: Tokenizer, *, config: Config, path: Path | None = None
    ) -> None:
        self.config = config
        self.path = path
        self._engine = engine
        self._source = source
        self._target = target

    @classmethod
    def load(cls, path: str | Path, *, engine: str = "litert", threads: int | None = None) -> Translator:
        """The translator of a model folder, or of a run folder that holds one.

        Of the folder's checksums those of the manifest and of the files that are read are checked.

        Arguments:
            path: the folder.
            engine: "litert" or "tensorflow".
            threads: processor threads; None means all cores, at most four.

        Raises:
            BundleError: the folder is missing, incomplete, altered or of a newer format.
            EngineError: the engine is not installed or cannot run the model.
        """
        model = engines.bundle.load(path, verify=False)
        # A joint tokenizer is read and made once.
        tokenizers = {name: Tokenizer(model.read(name)) for name in dict.fromkeys(model.tokenizers)}
        source, target = (tokenizers[name] for name in model.tokenizers)
        runner = engines.load(model, engine, threads=threads)
        return cls(runner, source, target, config=model.config, path=model.path)

    @property
    def source_language(self) -> str:
        """Language code of what is read."""
        return self.config.source_language

    @property
    def target_language(self) -> str:
        """Language code of what is written."""
        return self.config.target_language

    @property
    def engine_name(self) -> str:
        """Runtime and number format, such as "litert-int8"."""
        return self._engine.name

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, texts: str, *, search: SearchConfig | None = None
    ) -> Translation: ...
    @overload
    def __call__(self, texts: Iterable[str], *, search: SearchConfig | None = None) -> list[Translation]: ...
    def __call__(
        self, texts: str | Iterable[str], *, search: SearchConfig | None = None
    ) -> Translation | list[Translation]:
        """Translates one text, or several at once.

        Arguments:
            texts: a text of any length, or several.
            search: how to search; None means the model's own settings.

        Raises:
            TranslationError: something in `texts` is no string.
        """
        if isinstance(texts, str):
            return self._translate([texts], search)[0]
        if not isinstance(texts, Iterable):
            raise TranslationError(f"Texts to translate must be strings. Received: {texts!r:.40}")
        return self._translate(list(texts), search)

    def stream(
        self, lines: Iterable[str], *, search: SearchConfig | None = None, chunk: int = 512
    ) -> Iterator[Translation]:
        """Translates line by line: as many out as in, in their order, none with a line break; blank ones stay blank.

        Memory does not grow with the number of lines.

        Arguments:
            lines: lines with or without their line ends.
            chunk: how many lines are read before they are translated together; more is quicker, fewer answer sooner.
        """
        waiting: list[str] = []
        characters = 0
        for line in lines:
            _check_text(line)
            waiting.append(one_line(line))
            characters += len(line)
            if len(waiting) >= chunk or characters >= _CHUNK_CHARACTERS:
                yield from self._translate(waiting, search)
                waiting, characters = [], 0
        yield from self._translate(waiting, search)

    def explain(self, text: str, *, search: SearchConfig | None = None) -> Explanation:
        """What the network did to translate one sentence.

        The text is read as one sentence, not split; of a longer text explain each of its `sentences`:
        `[translator.explain(each.source) for each in translator(text).sentences]`.

        Raises:
            EngineError: the sentence has more than 256 pieces.
            TranslationError: the text is no string.
        """
        _check_text(text)
        text = clean(text)[0]
        source = self._source.encode(text)
        if source:
            best = self._engine.translate([source], search or self.config.search)[0][0]
        else:
            best = Hypothesis((), 0.0, 0.0, True)
        shown = self._engine.explain(source, best.ids)
        alternatives = zip(shown["alternatives"].tolist(), shown["alternative_log_probs"].tolist(), strict=True)
        return Explanation(
            text=text,
            translation=self._target.decode(best.ids),
            score=best.score,
            engine=self.engine_name,
            source=tuple(self._source.pieces([*source, EOS])),
            target=tuple(self._target.pieces([*best.ids, EOS])),
            **{name: shown[name] for name in ("log_probs", "entropy", "attention", "encoder", "decoder")},
            alternatives=tuple(
                tuple(zip(self._target.pieces(ids), values, strict=True)) for ids, values in alternatives
            ),
        )

    def _translate(self, texts: Sequence[str], search: SearchConfig | None) -> list[Translation]:
        chosen = search or self.config.search
        plans = [self._plan(text) for text in texts]
        different = list(dict.fromkeys(ids for plan in plans for ids in plan.ids if ids))
        found = dict(zip(different, self._engine.translate(different, chosen), strict=True))
        return [self._text(plan, found, chosen.n_best) for plan in plans]

    def _plan(self, text: str) -> _Plan:
        _check_text(text)
        source, removed = clean(text)
        warnings = [f"Characters that are no text were removed: {removed}"] if removed else []
        segments: list[Segment] = []
        for sentence in split(source, self.source_language):
            parts = cut(sentence, self._fits)
            segments += parts
            if len(parts) > 1:
                warnings.append(
                    f"A sentence of more than {MAX_SOURCE} pieces was split into {len(parts)}: {_start(sentence.text)}"
                )
        ids = [tuple(self._source.encode(segment.text)) for segment in segments]
        return _Plan(source, segments, ids, warnings)

    def _fits(self, text: str) -> bool:
        return len(self._source.encode(text)) <= MAX_SOURCE

    def _text(self, plan: _Plan, found: dict[Ids, list[Hypothesis]], n_best: int) -> Translation:
        parts = [
            self._sentence(segment.text, found.get(ids)) for segment, ids in zip(plan.segments, plan.ids, strict=True)
        ]
        candidates = best_combinations(plan.segments, [part.hypotheses for part in parts], n_best)
        return Translation(
            source=plan.source,
            text=candidates[0].text,
            score=candidates[0].score,
            hypotheses=tuple(candidates),
            sentences=tuple(part for part in parts if part.source),
            warnings=(*plan.warnings, *(warning for part in parts for warning in part.warnings)),
            engine=self.engine_name,
        )

    def _sentence(self, source: str, hypotheses: list[Hypothesis] | None) -> Translation:
        """The translation of one segment; without hypotheses, itself."""
        if hypotheses is None:
            itself = Candidate(source, 0.0, 0.0, (), True)
            return Translation(source, source, 0.0, (itself,), (), (), self.engine_name)
        candidates = tuple(self._candidate(each) for each in hypotheses)
        best = candidates[0]
        warnings = [] if best.finished else [f"A translation was cut at {len(best.pieces)} pieces: {_start(source)}"]
        warnings += [] if best.text else [f"A translation came out empty: {_start(source)}"]
        return Translation(source, best.text, best.score, candidates, (), tuple(warnings), self.engine_name)

    def _candidate(self, found: Hypothesis) -> Candidate:
        pieces = tuple(self._target.pieces(found.ids))
        return Candidate(self._target.decode(found.ids), found.score, found.log_prob, pieces, found.finished)


def _check_text(text: object) -> None:
    if not isinstance(text, str):
        raise TranslationError(
            f"Text to translate must be a string. Received: {text!r:.40} of type {type(text).__name__}"
        )


def _start(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")
