"""The translator: sentences of many texts through one engine, and each back to its place.

It joins tokenizers, engine and text; it owns none of their rules.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import overload

from seq2seq import engine as engines
from seq2seq.calibration import Calibration
from seq2seq.config import Config, SearchConfig
from seq2seq.engine import ALTERNATIVES, Bundle, Engine, Hypothesis
from seq2seq.explanation import Explanation, Influence
from seq2seq.tokenizer import Tokenizer
from seq2seq.translator.checks import UNUSABLE
from seq2seq.translator.explaining import Asked, Explainer, Wanted
from seq2seq.translator.plans import Plan, TranslationError, check_pairs, check_text, checked, plan, start
from seq2seq.translator.scoring import Score, score
from seq2seq.translator.sentences import Found, Searcher, Sentence, faults
from seq2seq.translator.terms import Terms
from seq2seq.translator.text import clean, one_line, primary
from seq2seq.translator.translation import Candidate, Translation, together

_CHUNK_CHARACTERS = 1 << 18


class Translator:
    """Translates text with a model folder.

        translator = Translator.load("runs/x")
        translator("A dog runs. A cat sleeps.").text
        [translation.text for translation in translator(["A dog.", "A cat."])]

    1. A text is split into sentences; line breaks and tabs always end one. White space between them stays as it is.
    2. A sentence of more than 256 pieces is cut at punctuation, else at spaces, and a warning says so.
    3. The sentences of all texts go through the engine in batches of similar length, each different one once.
    4. A sentence whose translation loops, or lost a URL, a number with a unit, a placeholder or a tag, is searched
       again. What is still wrong is in the translation's `flags` and `warnings`.
    5. Each text is put together again; text without words comes back as it was.

    Methods may be called from several threads at once, and a result does not depend on what is translated beside it.

    Arguments:
        engine: runs the model; see `seq2seq.engine.load`.
        source, target: the tokenizers of what is read and of what is written.
        config: the model's configuration; its languages and its search settings are used.
        path: where the model lies, if it does.
        calibration: what turns a probability into a confidence, if the model has it.
    """

    def __init__(
        self,
        engine: Engine,
        source: Tokenizer,
        target: Tokenizer,
        *,
        config: Config,
        path: Path | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        self.config = config
        self.path = path
        self.calibration = calibration
        self._engine = engine
        self._source, self._target = source, target
        differ = primary(config.source_language) != primary(config.target_language)
        self._searcher = Searcher(engine, source, target, languages_differ=differ)
        self._explainer = Explainer(engine, (source, target), self._searcher, path=path)

    @classmethod
    def load(cls, path: str | Path | Bundle, *, engine: str = "litert", threads: int | None = None) -> Translator:
        """The translator of a model folder, or of a run folder that holds one.

        Of the folder's checksums those of the manifest and of the files that are read are checked.

        Arguments:
            path: the folder, or what `bundle.load` made of it.
            engine: "litert" or "tensorflow".
            threads: processor threads; None means all cores, and at most four of them for LiteRT.

        Raises:
            BundleError: the folder is missing, incomplete, altered or of a newer format, or a file of it is broken.
            EngineError: the engine is not installed or cannot run the model.
        """
        model = path if isinstance(path, Bundle) else engines.bundle.load(path, verify=False)
        # A joint tokenizer is read and made once.
        tokenizers = {name: model.made(name, Tokenizer) for name in dict.fromkeys(model.tokenizers)}
        source, target = (tokenizers[name] for name in model.tokenizers)
        runner = engines.load(model, engine, threads=threads)
        return cls(runner, source, target, config=model.config, path=model.path, calibration=model.calibration)

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

    def stoppable(self, between: Callable[[], object]) -> Translator:
        """The same translator, which calls `between` before every few sentences; what that raises ends the work."""
        same = copy.copy(self)
        same._searcher = self._searcher.stoppable(between)
        return same

    def watched(self, told: Callable[[int], object]) -> None:
        """Has `told` hear how many sentences each batch has, from now on."""
        self._engine.told = told

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, texts: str, *, search: SearchConfig | None = None, terms: Terms | None = None
    ) -> Translation: ...
    @overload
    def __call__(
        self, texts: Iterable[str], *, search: SearchConfig | None = None, terms: Terms | None = None
    ) -> list[Translation]: ...
    def __call__(
        self, texts: str | Iterable[str], *, search: SearchConfig | None = None, terms: Terms | None = None
    ) -> Translation | list[Translation]:
        """Translates one text, or several at once.

        Arguments:
            texts: a text of any length, or several.
            search: how to search; None means the model's own settings.
            terms: what the translations must and must not say; None means that URLs and their like are kept.

        Raises:
            TranslationError: something in `texts` is no string, words are required of a text of several sentences, or
                words are required and a temperature is set.
        """
        if isinstance(texts, str):
            return self._translate([texts], search, terms)[0]
        if not isinstance(texts, Iterable):
            raise TranslationError(f"Texts to translate must be strings. Received: {texts!r:.40}")
        return self._translate(list(texts), search, terms)

    def stream(
        self,
        lines: Iterable[str],
        *,
        search: SearchConfig | None = None,
        terms: Terms | None = None,
        chunk: int = 512,
        first: int = 1,
    ) -> Iterator[Translation]:
        """Translates line by line: as many out as in, in their order, none with a line break; blank ones stay blank.

        Memory does not grow with the number of lines.

        Arguments:
            lines: lines with or without their line ends.
            search, terms: as for a call; each line is a text of its own.
            chunk: how many lines are read before they are translated together; more is quicker, fewer answer sooner.
            first: the number of the first line, where an error names one.
        """
        chosen = search or self.config.search
        wanted = checked(terms, chosen)
        waiting: list[Plan] = []
        characters = 0
        for number, line in enumerate(lines, start=first):
            try:
                check_text(line)
                waiting.append(self._plan(one_line(line), wanted))
            except TranslationError as error:
                yield from self._translated(waiting, chosen)
                raise TranslationError(f"{error} (line {number})") from None
            characters += len(line)
            if len(waiting) >= chunk or characters >= _CHUNK_CHARACTERS:
                yield from self._translated(waiting, chosen)
                waiting, characters = [], 0
        yield from self._translated(waiting, chosen)

    def score(
        self, sources: Sequence[str], targets: Sequence[str], *, search: SearchConfig | None = None
    ) -> list[Score]:
        """How probable the model holds given translations; each pair is one sentence, not split.

        A translation is cut into pieces anew, so its score is that of the search where the search chose the same
        pieces, which it nearly always does.

        Arguments:
            sources: sentences.
            targets: the translation of each.
            search: its length penalty, word reward and coverage penalty make the score; None means the model's own.

        Raises:
            EngineError: a sentence has more than 256 pieces.
            TranslationError: something is no string, or there are not as many of the one as of the other.
        """
        check_pairs(sources, targets)
        pairs = [(clean(source)[0], clean(target)[0]) for source, target in zip(sources, targets, strict=True)]
        return score(self._engine, (self._source, self._target), pairs, search or self.config.search)

    def explain(
        self,
        text: str,
        *,
        target: str | None = None,
        search: SearchConfig | None = None,
        terms: Terms | None = None,
        cells: bool = False,
        beam: bool = False,
        alternatives: int = ALTERNATIVES,
        step: int | None = None,
    ) -> Explanation:
        """What the network did to translate one sentence.

        The text is read as one sentence, not split; of a longer text explain each of its `sentences`:
        `[translator.explain(each.source) for each in translator(text).sentences]`.

        Arguments:
            text: the sentence.
            target: a translation to explain instead of searching for one.
            search, terms: as for a call.
            cells: whether gates and states, and the gradient that flows back through time, are wanted.
            beam: whether the search is wanted as a tree.
            alternatives: how many of the most probable pieces at each position.
            step: the target position, from 0, whose gradient is wanted; None is the last, and none without `cells`.

        Raises:
            EngineError: a sentence has more than 256 pieces, there is no such step, or an older model's graph lacks it.
            TranslationError: a text is no string, `alternatives` is no positive number, or words are required and a
                temperature is set.
        """
        asked = self._asked(text, target, search, terms)
        return self._explainer.explain(asked, Wanted(cells, beam, alternatives, step))

    def influence(
        self, text: str, *, target: str | None = None, search: SearchConfig | None = None, terms: Terms | None = None
    ) -> Influence:
        """What each piece of a sentence does to each piece of its translation: every source piece hidden in turn.

        Arguments and errors are those of `explain`.
        """
        return self._explainer.influence(self._asked(text, target, search, terms))

    def saliency(
        self, text: str, *, target: str | None = None, search: SearchConfig | None = None, terms: Terms | None = None
    ) -> Influence:
        """`influence` by gradients, computed by the tensorflow engine from the model's weights.

        Arguments and errors are those of `explain`; an EngineError also says that TensorFlow is missing.
        """
        return self._explainer.saliency(self._asked(text, target, search, terms))

    def _asked(self, text: str, target: str | None, search: SearchConfig | None, terms: Terms | None) -> Asked:
        chosen = search or self.config.search
        return Asked(text, target, chosen, checked(terms, chosen))

    def _translate(self, texts: Sequence[str], search: SearchConfig | None, terms: Terms | None) -> list[Translation]:
        chosen = search or self.config.search
        wanted = checked(terms, chosen)
        return self._translated([self._plan(text, wanted) for text in texts], chosen)

    def _plan(self, text: str, terms: Terms) -> Plan:
        return plan(text, terms, self._searcher, self.source_language)

    def _translated(self, plans: Sequence[Plan], search: SearchConfig) -> list[Translation]:
        found = self._searcher([each for plan in plans for each in plan.sentences if each.ids], search)
        return [self._text(plan, found, search.n_best) for plan in plans]

    def _text(self, plan: Plan, found: dict[Sentence, Found], n_best: int) -> Translation:
        parts = [self._sentence(sentence.text, found.get(sentence)) for sentence in plan.sentences]
        name = self.engine_name
        return together(plan.source, plan.segments, parts, n_best=n_best, warnings=plan.warnings, engine=name)

    def _sentence(self, source: str, found: Found | None) -> Translation:
        """The translation of one segment; where nothing was searched, itself."""
        if found is None:
            itself = Candidate(source, 0.0, 0.0, (), True)
            return Translation(source, source, 0.0, (itself,), (), (), self.engine_name)
        candidates = tuple(self._candidate(each) for each in found.hypotheses)
        best = candidates[0]
        wrong = faults(found)
        warnings = tuple(f"{warning}: {start(source)}" for warning in wrong.values())
        sure = self._confidence(best, wrong)
        return Translation(
            source, best.text, best.score, candidates, (), warnings, self.engine_name, tuple(wrong), sure
        )

    def _confidence(self, best: Candidate, wrong: Collection[str]) -> float | None:
        if self.calibration is None:
            return None
        return 0.0 if UNUSABLE & set(wrong) else self.calibration.confidence(best.log_prob, len(best.pieces) + 1)

    def _candidate(self, found: Hypothesis) -> Candidate:
        pieces = tuple(self._target.pieces(found.ids))
        return Candidate(self._target.decode(found.ids), found.score, found.log_prob, pieces, found.finished)
