"""What is wrong with a translation: loops, copies, words that were skipped; what is mended and what is flagged."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import scripted

from seq2seq import SearchConfig, config
from seq2seq.engine import Demands, Hypothesis
from seq2seq.translator import FLAGS, Translation, Translator, checks

TOKENS = scripted.tokens()


class Model:
    """An engine that says of each sentence what the search's `no_repeat` chooses, with this coverage of each piece."""

    name = "model"

    def __init__(self, *texts: str, coverage: Sequence[float] = (), finished: bool = True) -> None:
        """The texts are those for no_repeat 0, 3, 2 and 1; the last stands for all that follow."""
        self.texts = dict(zip((0, 3, 2, 1), (texts * 4)[: len(texts)] + texts[-1:] * (4 - len(texts)), strict=True))
        self.coverage, self.finished = tuple(coverage), finished
        self.asked: list[int] = []

    def translate(
        self, sources: Sequence[Sequence[int]], search: SearchConfig, demands: Sequence[Demands] = ()
    ) -> list[list[Hypothesis]]:
        self.asked.append(search.no_repeat)
        ids = tuple(TOKENS.encode(self.texts[search.no_repeat]))
        return [[Hypothesis(ids, -1.0, -1.0, self.finished, self.coverage)] for _ in sources]


def translated(model: Model, text: str, *, target: str = "de", search: SearchConfig | None = None) -> Translation:
    languages = config.build({"source_language": "en-GB", "target_language": target})
    return Translator(model, TOKENS, TOKENS, config=languages)(text, search=search)  # type: ignore[arg-type]


class TestRepeats:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "ein Hund, ein Haus und ein Baum",
            "sehr, sehr gut",
            "Schritt für Schritt geht er immer und immer wieder los",
            "1 000 000",
            "考虑考虑",
            "Barbara murmelt",
            "Brrrr",
        ],
    )
    def test_ordinary_language_has_none(self, text: str) -> None:
        assert checks.repeats(text) == 0

    @pytest.mark.parametrize(
        "text",
        [
            "der Hund Hund Hund",
            "ein Hund, ein Hund",
            "ein Bild von zwei Hunden einen Bild von zwei Hunden",
            "der Mann in Rot sieht, der Mann in Blau hört, der Mann in Grün geht",
            "Sudududududu",
            "Aaaaaaaah",
            "我走了我走了我走了",
        ],
    )
    def test_loops_have_some(self, text: str) -> None:
        assert checks.repeats(text) > 0

    def test_the_source_may_repeat_itself(self) -> None:
        assert not checks.loops("No, no, no, never!", "Nein, nein, nein, nie!")
        assert not checks.loops("10,000,000,000", "10.000.000.000")
        assert checks.loops("No, no, no, never!", "Nein " * 20)
        for number in ("1.000.000.000", "10 000 000 000", "1\u202f000\u202f000\u202f000"):
            assert not checks.loops("It cost a billion euros.", f"Es kostete {number} Euro.")
        assert checks.loops("There were 200 people.", "Es waren 200 200 200 200 200 Menschen")
        for pair in ("दादा-दादी", "মামা মামি", "பாப்பா", "cafe\u0301-cafe\u0301"):  # not one letter again and again
            assert not checks.loops("My grandparents live here.", pair)


class TestLoops:
    def test_one_is_searched_again_and_the_better_stays(self) -> None:
        model = Model("rot rot rot rot", "rot rot rot", "rot rot")
        translation = translated(model, "red")
        assert (translation.text, translation.flags, translation.warnings) == ("rot rot", (), ())
        assert model.asked == [0, 3, 2]

    def test_one_that_stays_is_said(self) -> None:
        model = Model("rot rot rot")
        translation = translated(model, "red")
        assert (translation.text, translation.flags) == ("rot rot rot", ("repeats",))
        assert translation.warnings == ("A translation says the same again and again: 'red'",)
        assert model.asked == [0, 3, 2, 1]

    def test_nothing_at_all_is_no_better(self) -> None:
        translation = translated(Model("rot rot rot", ""), "red")
        assert (translation.text, translation.flags) == ("rot rot rot", ("repeats",))

    def test_from_the_users_own_no_repeat_on_only_stricter_ones_are_tried(self) -> None:
        model = Model("rot rot rot")
        translated(model, "red", search=SearchConfig(no_repeat=2))
        assert model.asked[:2] == [2, 1]

    def test_the_real_search_may_say_what_the_source_does(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        backwards = Translator.load(scripted.write(tmp_path_factory.mktemp("run") / "model"))
        translation = backwards("der Hund rot der Hund rot der Hund rot")
        assert (translation.text, translation.flags) == ("rot Hund der rot Hund der rot Hund der", ())
        translation = backwards(translation.source, search=SearchConfig(no_repeat=2))
        assert not checks.repeats(translation.text)


class TestCopies:
    COPIED = "they want to see the dog"

    def test_a_copy_is_said(self) -> None:
        translation = translated(Model(self.COPIED), self.COPIED)
        assert translation.flags == ("copies",)
        assert translation.warnings == ("A translation is its source, or nearly: 'they want to see the dog'",)

    def test_into_its_own_language_it_is_right(self) -> None:
        assert translated(Model(self.COPIED), self.COPIED, target="en_US").flags == ()

    @pytest.mark.parametrize(
        ("source", "text"),
        [
            ("Maria Anna Schmidt", "Maria Anna Schmidt"),
            ("Oh, ja, ja!", "Oh, ja, ja!"),
            ("see https://www.example.org/some/longer/page", "siehe https://www.example.org/some/longer/page"),
            ("the cat sat on the mat", "die Katze saß auf der Matte"),
            ("der Hund die Katze das Haus", "Katze die Haus das Hund der"),
            ("", ""),
        ],
    )
    def test_what_rightly_stays_is_no_copy(self, source: str, text: str) -> None:
        assert not checks.copies(source, text)

    @pytest.mark.parametrize("text", ["the cat sat on a mat", "The cat sat on the mat!", "cat sat on the mat"])
    def test_nearly_is_enough(self, text: str) -> None:
        assert checks.copies("the cat sat on the mat", text)


class TestSkips:
    WORDS = "die Katze, Baum"

    def test_a_word_that_was_hardly_looked_at_is_named(self) -> None:
        ids = TOKENS.encode(self.WORDS)
        start = {piece: place for place, piece in enumerate(TOKENS.pieces(ids))}
        coverage = [1.0] * len(ids) + [0.0]
        coverage[start["▁Baum"]] = 0.09
        assert checks.skipped(TOKENS, ids, coverage) == []  # the word before it, well looked at, may stand for both
        coverage[: start["▁Baum"]] = [0.3] * start["▁Baum"]
        assert checks.skipped(TOKENS, ids, coverage) == ["Baum"]
        coverage[start["▁Baum"]] = 0.11
        coverage[start["▁die"]] = 0.0  # words of three letters are often not looked at
        assert checks.skipped(TOKENS, ids, coverage) == []
        assert checks.skipped(TOKENS, ids, ()) == []

    def test_pieces_of_a_word_count_together(self) -> None:
        ids = TOKENS.encode("Baumhaus")
        assert len(ids) > 1
        assert checks.skipped(TOKENS, ids, [0.2, *[0.0] * len(ids)]) == []
        assert checks.skipped(TOKENS, ids, [0.01] * len(ids)) == ["Baumhaus"]

    def test_it_is_said(self) -> None:
        translation = translated(Model("ja", coverage=[0.0] * 20), self.WORDS)
        assert translation.flags == ("skips",)
        assert translation.warnings == ("A translation may lack what 'Katze', 'Baum' means: 'die Katze, Baum'",)


def test_flags_of_sentences_are_the_texts_in_one_order() -> None:
    translation = translated(Model("rot rot rot", finished=False), "ja. {x}.")
    assert translation.flags == ("cut", "lost", "repeats")
    assert [each.flags for each in translation.sentences] == [("cut", "repeats"), ("cut", "lost", "repeats")]
    assert list(FLAGS) == ["cut", "empty", "lost", "forbidden", "repeats", "copies", "skips"]


def test_an_empty_translation_skips_nothing() -> None:
    assert translated(Model("", coverage=[0.0] * 20), "die Katze").flags == ("empty",)
