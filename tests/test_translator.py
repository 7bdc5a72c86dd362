"""Text in, text out: every sentence in its place, every white space where it was, nothing lost in silence."""

from __future__ import annotations

import gc
import itertools
import random
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import scripted
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq import bundle, config, tokenizer
from seq2seq.config import SearchConfig
from seq2seq.engine import EOS, MAX_SOURCE, Aim, EngineError, Hypothesis
from seq2seq.translator import Candidate, Translation, TranslationError, Translator, text
from seq2seq.translator.translation import best_combinations

THREE = SearchConfig(beam=3, n_best=3)


class Echo:
    """Says what it reads; the k-th best drops the last k pieces and scores k less. Counts what it is asked."""

    name = "echo"

    def __init__(self) -> None:
        self.asked: list[list[tuple[int, ...]]] = []
        self.finished = True

    def translate(self, sources: Sequence[Sequence[int]], search: SearchConfig) -> list[list[Hypothesis]]:
        self.asked.append([tuple(source) for source in sources])
        for source in sources:
            assert 1 <= len(source) <= MAX_SOURCE
        most = search.max_length or 10_000
        return [
            [
                Hypothesis(tuple(source)[: min(most, len(source) - k)], -1.0 - k, -2.0 - k, self.finished)
                for k in range(min(search.n_best, len(source)))
            ]
            for source in sources
        ]

    def explain(self, source: Sequence[int], target: Sequence[int], _: Aim) -> dict[str, np.ndarray]:
        s, t = len(source) + 1, len(target) + 1
        alternatives = np.array([[*target, EOS]]).T.repeat(5, axis=1)
        return {
            "attention": np.full((t, s), 1 / s, np.float32),
            "log_probs": np.zeros(t, np.float32),
            "entropy": np.zeros(t, np.float32),
            "alternatives": alternatives,
            "alternative_log_probs": np.zeros((t, 5), np.float32),
            "encoder": np.zeros((1, 2, 6, s, 4), np.float32),
            "decoder": np.zeros((2, 6, t, 8), np.float32),
        }


@pytest.fixture
def echo() -> Translator:
    """A translator that says what it reads, in a vocabulary of words, from English into English."""
    same = config.build({"source_language": "en", "target_language": "en"})
    return Translator(Echo(), scripted.tokens(), scripted.tokens(), config=same)


@pytest.fixture(scope="module")
def backwards(tmp_path_factory: pytest.TempPathFactory) -> Translator:
    """The scripted model on LiteRT, loaded from a folder: it spells each sentence backwards."""
    return Translator.load(scripted.write(tmp_path_factory.mktemp("run") / "model").parent)


def test_whoever_calls_can_stop_it_every_few_sentences(echo: Translator) -> None:
    class Enough(Exception):
        pass

    def twice() -> None:
        if len(asked(echo)) == 2:
            raise Enough

    texts = [f"{word} cat." for word in itertools.islice(map("".join, itertools.permutations("abcdef")), 100)]
    with pytest.raises(Enough):
        echo.stoppable(twice)(texts)
    assert 0 < sum(map(len, asked(echo))) < len(texts)
    asked(echo).clear()
    assert echo.stoppable(bool)(texts) == echo(texts)
    assert len(asked(echo)) == 4 + 1


def asked(translator: Translator) -> list[list[tuple[int, ...]]]:
    return translator._engine.asked  # type: ignore[attr-defined]


class TestWhiteSpace:
    @pytest.mark.parametrize(
        "given_text",
        [
            "der Hund.",
            "der Hund. die Katze!",
            "  der Hund.   die Katze!\n\n\tdas Haus?\r\n",
            "der Hund\ndie Katze\n\n\ndas Haus",
            "der Hund.\u00a0die Katze!\u2028das Haus\x85",
            "rot\tblau\tgut",
        ],
    )
    def test_it_stands_where_it_stood(self, echo: Translator, given_text: str) -> None:
        assert echo(given_text).text == given_text

    @pytest.mark.parametrize("blank", ["", " ", "\n", " \t\r\n\u3000\u2028 "])
    def test_a_blank_text_comes_back_without_asking_the_engine(self, echo: Translator, blank: str) -> None:
        translation = echo(blank)
        assert (translation.text, translation.score, translation.sentences) == (blank, 0.0, ())
        assert translation.hypotheses == (Candidate(blank, 0.0, 0.0, (), True),)
        assert asked(echo) == []

    def test_sentences_that_touch_get_a_space_unless_a_script_has_none(self) -> None:
        touching = [text.Segment("走了。", ""), text.Segment("我走了！", "\n")]
        assert text.join(touching, ["He left.", "I left!"]) == "He left. I left!\n"
        assert text.join(touching, ["彼は。", "私は！"]) == "彼は。私は！\n"
        assert text.join(touching, ["He left.", ""]) == "He left.\n"
        inside = [text.Segment("aaa", "", inside_word=True), text.Segment("bbb", "")]
        assert text.join(inside, ["aaa", "bbb"]) == "aaabbb"


class TestSentences:
    def test_a_paragraph_is_translated_sentence_by_sentence(self, backwards: Translator) -> None:
        translation = backwards("der Hund rot. die Katze blau!\nja")
        assert translation.text == ". rot Hund der ! blau Katze die\nja"
        assert [each.source for each in translation.sentences] == ["der Hund rot.", "die Katze blau!", "ja"]
        assert [each.text for each in translation.sentences] == [". rot Hund der", "! blau Katze die", "ja"]
        assert all(each.sentences == () for each in translation.sentences)
        assert translation.score == pytest.approx(sum(each.score for each in translation.sentences))
        assert translation.engine == backwards.engine_name == "litert-float32"
        assert str(translation) == translation.text

    def test_abbreviations_do_not_end_a_sentence(self) -> None:
        parts = text.split("Mr. Fox met Dr. Owl. They sang.", "en")
        assert [each.text for each in parts] == ["Mr. Fox met Dr. Owl.", "They sang."]

    @given(
        st.text(
            alphabet=st.sampled_from("aB1. \n\r\t!?\"'()…,;。！我A走\u00a0\u2028\u0085\u3000é\u0301😀\u200dא"),
            max_size=60,
        )
    )
    @settings(max_examples=300, deadline=None)
    def test_no_character_is_lost_by_splitting(self, sample: str) -> None:
        for language in ("en", "de", "zh", "", "xx-YY"):
            parts = text.split(sample, language)
            assert "".join(part.text + part.gap for part in parts) == sample
            assert all(part.text == part.text.strip() for part in parts)
            assert all(part.text for part in parts[1:])
            small = [each for part in parts for each in text.cut(part, lambda words: len(words) <= 5)]
            assert "".join(part.text + part.gap for part in small) == sample
            assert all(len(part.text) <= 5 for part in small)

    def test_a_splitter_that_panics_loses_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class PanicException(BaseException):
            pass

        def panic(*_: str) -> None:
            raise PanicException

        monkeypatch.setattr("sentencex.segment", panic)
        assert text.split("der Hund. die Katze.", "de") == [text.Segment("der Hund. die Katze.", "")]

    def test_equal_sentences_are_translated_once(self, echo: Translator) -> None:
        echo(["ja. nein.", "nein.  ja.", "ja."])
        assert [len(sources) for sources in asked(echo)] == [2]


class TestLongSentences:
    def test_they_are_cut_at_punctuation_and_it_is_said(self, echo: Translator) -> None:
        sentence = ", ".join(["der Hund die Katze das Haus ein Baum rot blau"] * 30)
        translation = echo(sentence)
        assert translation.text == sentence
        assert len(translation.sentences) >= 2
        assert all(each.source.endswith((",", "blau")) for each in translation.sentences)
        [warning] = translation.warnings
        assert re.fullmatch(r"A sentence of more than 256 pieces was split into \d+: 'der Hund die .*…'", warning)

    def test_without_punctuation_at_spaces_and_without_spaces_inside(self, echo: Translator) -> None:
        words = " ".join(["Hund", "Katze"] * 300)
        assert echo(words).text == words
        assert {word for each in echo(words).sentences for word in each.source.split()} == {"Hund", "Katze"}
        for unbroken in ("x" * 2000, "我走了" * 700, "e\u0301" * 900):
            translation = echo(unbroken)
            assert translation.text == scripted.tokens().decode(scripted.tokens().encode(unbroken))
            assert translation.warnings

    def test_a_letter_keeps_its_marks(self) -> None:
        parts = text.cut(text.Segment("e\u0301" * 500, ""), lambda words: len(words) <= 100)
        assert not any(part.text.startswith("\u0301") for part in parts)

    def test_a_line_of_100_kb(self, echo: Translator) -> None:
        line = "der Hund, die Katze. " * 5000
        assert len(line) > 100_000
        [translation] = echo.stream([line])
        assert translation.text == line
        assert len(translation.sentences) == 5000


class TestWarnings:
    def test_none_when_all_is_well(self, echo: Translator) -> None:
        assert echo("der Hund. die Katze.").warnings == ()

    def test_a_translation_that_the_limit_cut(self, backwards: Translator) -> None:
        translation = backwards("ja. der Hund rot blau", search=SearchConfig(beam=1, max_length=3))
        assert translation.warnings == ("A translation was cut at 3 pieces: 'der Hund rot blau'",)
        assert not translation.hypotheses[0].finished
        assert [each.hypotheses[0].finished for each in translation.sentences] == [True, False]

    def test_a_translation_that_came_out_empty(self, echo: Translator) -> None:
        echo._engine.translate = lambda sources, search: [[Hypothesis((), -1.0, -1.0, True)] for _ in sources]  # type: ignore[method-assign]
        assert echo("ja. nein").warnings == (
            "A translation came out empty: 'ja.'",
            "A translation came out empty: 'nein'",
        )

    def test_characters_that_were_removed(self, echo: Translator) -> None:
        translation = echo("\ufeffder \x00Hund\ud800\x07")
        assert translation.text == translation.source == "der Hund"
        assert translation.warnings == ("Characters that are no text were removed: 3",)
        assert echo("\ufeffja").warnings == ()


class TestHypotheses:
    def test_one_sentence(self, echo: Translator) -> None:
        translation = echo("der Hund rot", search=THREE)
        assert [(each.text, each.score, each.log_prob) for each in translation.hypotheses] == [
            ("der Hund rot", -1.0, -2.0),
            ("der Hund", -2.0, -3.0),
            ("der", -3.0, -4.0),
        ]
        assert translation.hypotheses[1].pieces == ("▁der", "▁Hund")
        assert (translation.text, translation.score) == ("der Hund rot", -1.0)

    def test_of_several_sentences_the_best_sums_are_found(self) -> None:
        draw = random.Random(5)
        choices = [
            [Candidate(f"{i}{k}", -draw.random() * (k + 1), -float(k), (f"{i}", f"{k}"), k != 1) for k in range(4)]
            for i in range(3)
        ]
        for each in choices:
            each.sort(key=lambda candidate: -candidate.score)
        segments = [text.Segment("", " ")] * 3
        found = best_combinations(segments, choices, 6)
        every = sorted(itertools.product(*choices), key=lambda way: -sum(each.score for each in way))[:6]
        assert [each.text for each in found] == ["".join(f"{each.text} " for each in way) for way in every]
        assert [each.score for each in found] == pytest.approx([sum(each.score for each in way) for way in every])
        assert found[0].log_prob == sum(each.log_prob for each in every[0])
        assert found[0].pieces == tuple(piece for each in every[0] for piece in each.pieces)
        assert [each.finished for each in found] == [all(each.finished for each in way) for way in every]

    def test_the_model_s_own_search_settings_are_the_default(self) -> None:
        chosen = config.build(scripted.LANGUAGES, {"search": {"beam": 3, "n_best": 2}})
        translator = Translator(Echo(), scripted.tokens(), scripted.tokens(), config=chosen)
        assert len(translator("der Hund").hypotheses) == 2
        assert len(translator("der Hund", search=SearchConfig()).hypotheses) == 1


class TestCalling:
    def test_a_text_gives_a_translation_and_several_give_a_list(self, echo: Translator) -> None:
        assert isinstance(echo("ja"), Translation)
        assert [each.text for each in echo(["ja", "", "nein"])] == ["ja", "", "nein"]
        assert [each.text for each in echo(word for word in ("ja", "nein"))] == ["ja", "nein"]
        assert echo([]) == []

    @pytest.mark.parametrize("wrong", [3, None, ["ja", 3], [None], b"ja"])
    def test_what_is_no_text_is_refused(self, echo: Translator, wrong: object) -> None:
        with pytest.raises(TranslationError, match=r"^Texts? to translate must be (a string|strings)\. Received: "):
            echo(wrong)  # type: ignore[call-overload]
        with pytest.raises(TranslationError, match=r"^Text to translate must be a string\. Received: 3 of type int$"):
            echo.explain(3)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "odd",
        [
            "\x00",
            "\ud800",
            "\udfff\ud800",
            "😀👩‍👩‍👧🏳️‍🌈",
            "שלום עולם",
            "<s> </s> <pad>",
            "▁",
            "\u0301",
            "\ufffe\uffff",
            "%s{}",
        ],
    )
    def test_any_string_is_translated(self, backwards: Translator, odd: str) -> None:
        translation = backwards(odd)
        assert translation.text.encode("utf-8") is not None
        assert "\n" not in translation.text

    def test_results_do_not_depend_on_company_or_thread(self, backwards: Translator) -> None:
        draw = random.Random(2)
        words = scripted.WORDS.split()
        texts = [" ".join(draw.choices(words, k=draw.randrange(1, 30))) for _ in range(60)]
        together = backwards(texts, search=THREE)
        assert [backwards(each, search=THREE) for each in texts] == together
        with ThreadPoolExecutor(4) as threads:
            parts = threads.map(lambda start: backwards(texts[start::4], search=THREE), range(4))
            for start, part in enumerate(parts):
                assert part == together[start::4]


class TestStream:
    def test_one_translation_a_line_in_order(self, echo: Translator) -> None:
        lines = ["der Hund\n", "\n", "ja\r\n", "  ", "die Katze. das Haus.", "", "nein"]
        found = [each.text for each in echo.stream(lines, chunk=2)]
        assert found == ["der Hund", "", "ja", "  ", "die Katze. das Haus.", "", "nein"]

    def test_lines_before_one_that_is_no_string_are_translated(self, echo: Translator) -> None:
        stream = echo.stream(["ja", "nein", 3, "ja"], first=11)  # type: ignore[list-item]
        assert [next(stream).text, next(stream).text] == ["ja", "nein"]
        with pytest.raises(TranslationError, match=r"must be a string. Received: 3 of type int \(line 13\)$"):
            next(stream)

    def test_no_translation_holds_a_line_break(self, echo: Translator) -> None:
        [translation] = echo.stream(["ja\x0bnein\x0cja\rja\x1c\x85ja\u2028nein\u2029rot\n"])
        assert len(translation.text.splitlines()) == 1
        assert translation.text == "ja nein ja ja ja nein rot"

    def test_batches_reach_across_lines(self, echo: Translator) -> None:
        list(echo.stream(["der Hund.", "die Katze.", "das Haus."], chunk=3))
        assert len(asked(echo)[0]) == 3

    def test_lines_are_read_when_they_are_needed(self, echo: Translator) -> None:
        read = []

        def lines() -> Iterator[str]:
            for number in itertools.count():
                read.append(number)
                yield "ja"

        stream = echo.stream(lines(), chunk=4)
        assert next(stream).text == "ja"
        assert len(read) == 4

    def test_a_chunk_of_long_lines_is_shorter(self, echo: Translator, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("seq2seq.translator.translating._CHUNK_CHARACTERS", 250)
        lines = ("der Hund. " * 10 for _ in range(9))
        next(echo.stream(lines))
        assert len(list(lines)) == 6

    def test_memory_does_not_grow(self, echo: Translator) -> None:
        echo._engine.asked = Forgetful()  # type: ignore[attr-defined]
        list(echo.stream(["ja", "nein"] * 50))
        peaks = []
        for number in (200, 1000):
            tracemalloc.start()
            for place, _ in enumerate(echo.stream((f"der Hund {line}" for line in range(number)), chunk=50)):
                if place % 50 == 0:
                    gc.collect()  # or Python keeps up to two thousand tuples of each size in store
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[1] < 1.2 * peaks[0]


class Forgetful(list):
    """A list that stays empty."""

    def append(self, _: object) -> None:
        pass


class TestExplain:
    def test_it_explains_the_translation(self, backwards: Translator) -> None:
        shown = backwards.explain("der Hund rot", cells=True)
        assert shown.cells is not None
        assert shown.translation == backwards("der Hund rot").text == "rot Hund der"
        assert shown.score == backwards("der Hund rot").score
        assert shown.source == ("▁der", "▁Hund", "▁rot", "</s>")
        assert shown.target == ("▁rot", "▁Hund", "▁der", "</s>")
        assert shown.attention.argmax(axis=1).tolist() == [2, 1, 0, 0]
        assert [five[0][0] for five in shown.alternatives] == list(shown.target)
        assert shown.cells.encoder.shape == (1, 2, 6, 4, 1)
        assert shown.cells.decoder.shape == (2, 6, 4, 2)
        assert shown.engine == "litert-float32"

    def test_a_paragraph_is_explained_sentence_by_sentence(self, backwards: Translator) -> None:
        translation = backwards("der Hund. die Katze!")
        shown = [backwards.explain(each.source) for each in translation.sentences]
        assert [each.translation for each in shown] == [each.text for each in translation.sentences]

    def test_nothing(self, echo: Translator) -> None:
        shown = echo.explain(" \x00")
        assert (shown.translation, shown.source, shown.target) == ("", ("</s>",), ("</s>",))
        assert asked(echo) == []

    def test_too_much(self, backwards: Translator) -> None:
        with pytest.raises(EngineError, match=r"^A source must have at most 256 pieces\. Received: 300$"):
            backwards.explain("ja " * 300)


class TestLoading:
    def test_what_it_says_of_itself(self, backwards: Translator) -> None:
        assert (backwards.source_language, backwards.target_language) == ("en", "de")
        assert backwards.path is not None
        assert (backwards.path / "manifest.json").exists()
        assert backwards.config == config.build(scripted.LANGUAGES)

    def test_a_tokenizer_for_each_side(self, tmp_path: Path) -> None:
        other = tokenizer.train(["alpha beta gamma delta"] * 9, vocabulary=273)
        files = {"tokenizer.source.model": scripted.tokens().model, "tokenizer.target.model": other}
        files["model.tflite"] = scripted.graph()
        bundle.write(tmp_path / "model", config=config.Config(), files=files, provenance={}, scores=[])
        translator = Translator.load(tmp_path)
        assert translator._source.model == scripted.tokens().model
        assert translator._target.model == other

    def test_weights_that_are_never_read_are_not_hashed(self, tmp_path: Path) -> None:
        files = {
            "tokenizer.model": scripted.tokens().model,
            "model.tflite": scripted.graph(),
            "weights.safetensors": b"12",
        }
        bundle.write(tmp_path / "model", config=config.Config(), files=files, provenance={}, scores=[])
        (tmp_path / "model" / "weights.safetensors").write_bytes(b"13")
        assert Translator.load(tmp_path)("ja").text == "ja"
        (tmp_path / "model" / "tokenizer.model").write_bytes(bytes(len(scripted.tokens().model)))
        with pytest.raises(bundle.BundleError, match=r"tokenizer\.model, which was altered$"):
            Translator.load(tmp_path)

    def test_a_process_translates_without_tensorflow_and_in_silence(self, tmp_path: Path) -> None:
        path = scripted.write(tmp_path / "model")
        code = (
            "import sys; from seq2seq import Translator\n"
            "print(Translator.load(sys.argv[1])('der Hund'), 'tensorflow' in sys.modules)\n"
        )
        arguments = [sys.executable, "-c", code, str(path)]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)
        assert (done.stdout, done.stderr) == ("Hund der False\n", "")
