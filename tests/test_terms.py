"""What must and must not be said: terms, glossaries, prefixes, and spans that no translation may lose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import scripted

from seq2seq import SearchConfig, Terms, config
from seq2seq.engine import Demands, Hypothesis
from seq2seq.translator import TermsError, TranslationError, Translator, attending, spans

TOKENS = scripted.tokens()


def pieces(text: str) -> tuple[int, ...]:
    return tuple(TOKENS.encode(text))


@dataclass
class Model:
    """An engine that gives the texts, or pieces, that a function answers to a sentence and its demands, best first."""

    answer: Callable[[str, Demands], list]
    asked: list[tuple[str, SearchConfig, Demands]] = field(default_factory=list)
    name: str = "model"

    def translate(
        self, sources: Sequence[Sequence[int]], search: SearchConfig, demands: Sequence[Demands] = ()
    ) -> list[list[Hypothesis]]:
        found = []
        for row, source in enumerate(sources):
            text, wanted = TOKENS.decode(source), demands[row] if demands else Demands()
            self.asked.append((text, search, wanted))
            said = [pieces(each) if isinstance(each, str) else each for each in self.answer(text, wanted)]
            found.append([Hypothesis(ids, -1.0 - at, -2.0 - at, True) for at, ids in enumerate(said)][: search.n_best])
        return found


def made(answer: Callable[[str, Demands], list]) -> tuple[Translator, Model]:
    model = Model(answer)
    return Translator(model, TOKENS, TOKENS, config=config.build(scripted.LANGUAGES)), model  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def backwards(tmp_path_factory: pytest.TempPathFactory) -> Translator:
    """The scripted model on LiteRT: it spells each sentence backwards."""
    return Translator.load(scripted.write(tmp_path_factory.mktemp("run") / "model").parent)


class TestTerms:
    @pytest.mark.parametrize(
        ("wrong", "sentence"),
        [
            ({"required": "Haus"}, "required must be several phrases, such as a tuple. Received: 'Haus'"),
            ({"required": ("Haus", " ")}, "A required phrase must be text. Received: ' '"),
            ({"forbidden": [3]}, "A forbidden phrase must be text. Received: 3"),
            ({"prefix": 3}, "A prefix must be a string. Received: 3"),
            ({"glossary": ["a"]}, "A glossary must be a mapping. Received: ['a']"),
            ({"glossary": {"a": ""}}, "A glossary term must be text. Received: ''"),
            ({"glossary": {" ": "a"}}, "A glossary term must be text. Received: ' '"),
            (
                {"required": ["ein Haus"], "forbidden": ["haus"]},
                "A phrase must not be demanded and forbidden at once. Received: 'ein Haus' and 'haus'",
            ),
        ],
    )
    def test_what_nobody_can_mean_is_refused(self, wrong: dict, sentence: str) -> None:
        with pytest.raises(TermsError) as caught:
            Terms(**wrong)
        assert str(caught.value) == sentence

    def test_a_glossary_finds_whole_words_the_longest_first(self) -> None:
        terms = Terms(glossary={"new": "neu", "York": "York", "New York": "Neuyork", "C++": "C++", "狗": "Hund"})
        assert terms.called("New York is new.") == ("Neuyork", "neu")
        assert terms.called("NEW york") == ("neu",)
        assert terms.called("new  york, newly york") == ("neu",)
        assert terms.called("He knows C++, york") == ("C++",)
        assert terms.called("一只狗走了") == ("Hund",)
        assert terms.called("renew") == ()

    def test_a_term_that_begins_with_a_capital_comes_before_the_same_one_without(self) -> None:
        for glossary in ({"turkey": "Truthahn", "Turkey": "Türkei"}, {"Turkey": "Türkei", "turkey": "Truthahn"}):
            assert set(Terms(glossary=glossary).called("Turkey eats turkey.")) == {"Türkei", "Truthahn"}
            assert Terms(glossary=glossary).called("Turkey is large.") == ("Türkei",)

    def test_a_letter_and_its_marks_are_one_however_they_are_written(self) -> None:
        terms = Terms(glossary={"cafe\u0301": "Café", "काम": "work"})
        assert terms.called("the café") == terms.called("the cafe\u0301") == ("Café",)
        assert terms.called("काम है") == ("work",) and terms.called("कामों में") == ()
        with pytest.raises(TermsError, match="demanded and forbidden at once"):
            Terms(required=("cafe\u0301",), forbidden=("café",))


class TestSpans:
    @pytest.mark.parametrize(
        ("sentence", "found"),
        [
            ("See https://a.org/b_(c)?d=e&f#g. Or (www.a.org)!", ["https://a.org/b_(c)?d=e&f#g", "www.a.org"]),
            ("看https://a.org/b。", ["https://a.org/b"]),
            ("Write to j.doe+x@mail.example.org.", ["j.doe+x@mail.example.org"]),
            ("Hello %{name}", ["%{name}"]),
            ("{name} {0} {} {{ x }} {a b}", ["{name}", "{0}", "{}", "{{ x }}"]),
            ("%s, %d, %(x)d, %1$s, %.2f; 100% sure", ["%s", "%d", "%(x)d", "%1$s", "%.2f", "100%"]),
            ("$HOME and ${HOME} cost $5 or 5 $", ["$HOME", "${HOME}", "$5", "5 $"]),
            ('<b>a</b> <x id="1"/> a < b &amp; c', ["<b>", "</b>", '<x id="1"/>']),
            ("1,000.5, 5 km, 20 °C, 8%", ["1,000.5", "5 km", "20 °C", "8%"]),
            ("我跑了5 km。又5 km的", ["5 km", "5 km"]),
            ("On 12.03.2024 and 1.2.24", []),
            ("１２.０５.２０２４ and ３.５.２", ["３.５.２"]),
            ("10.0.10.25, 10.20.30.40, 3.13.2 and 1.2.110", ["10.0.10.25", "10.20.30.40", "3.13.2", "1.2.110"]),
            ("At 8:30 on 9/11 1984 they had 12 dogs, and I'm 5 men.", []),
        ],
    )
    def test_they_are_found(self, sentence: str, found: list[str]) -> None:
        assert [span.text for span in spans.find(sentence)] == found

    @pytest.mark.parametrize(
        ("source", "translation", "lost"),
        [
            ("1,000.5 km", "1.000,5 Kilometer", []),
            ("1,000.5 km", "1000,5 km", []),
            ("5 km", "5km", []),
            ("5 km", "15 km", ["5 km"]),
            ("5 km", "5 kmühn", ["5 km"]),
            ("5 km", "5", ["5 km"]),
            ("5 km", "Это 5 км.", []),
            ("5 km", "我跑了5公里。", []),
            ("5 km", "5 किलोमीटर", []),
            ("5 km", "5 ja", ["5 km"]),
            ("$5", "5美元", []),
            ("1.5", "长1.5米", []),
            ("10.30", "at 10:30", []),
            ("10.00", "at 10", []),
            ("$12.50", "12,50 $", []),
            ("$12.50", "12,50 Dollar", []),
            ("2.00 km", "2 km", []),
            ("0° C", "0°C", []),
            ("It weighs 3.5 kg", "يزن ٣٫٥ كيلوغرام", []),
            ("1,000.5 and 8 %", "١٬٠٠٠٫٥، ٨٪", []),
            ("3.5 kg", "３．５ｋｇか３．５キロ", []),
            ("3.5 kg", "٣٫٦ كيلوغرام", ["3.5 kg"]),
            ("٣٫٥ كم، ٨٪، ١٬٠٠٠", "1.000; 8 %", ["٣٫٥"]),
            ("３．５ kg", "4.5 kg", ["３．５ kg"]),
            ("5 m²", "52 m", ["5 m²"]),
            ("12.5", "12.57", ["12.5"]),
            ("12.5", "112.5", ["12.5"]),
            ("{x} and {x}", "{x}", ["{x}"]),
            ("{x} and {x}", "", ["{x}", "{x}"]),
            ("{name}", "{ name }", ["{name}"]),
            ("www.a.org", "www.a.organ", ["www.a.org"]),
        ],
    )
    def test_they_are_missed(self, source: str, translation: str, lost: list[str]) -> None:
        assert [span.text for span in spans.missing(spans.find(source), translation)] == lost


class TestProtection:
    def test_it_costs_nothing_where_nothing_is_lost(self) -> None:
        translator, model = made(lambda text, _: [text])
        assert translator("{x} 5 km ja").flags == ()
        assert [wanted for _, _, wanted in model.asked] == [Demands()]

    def test_what_was_lost_is_required(self) -> None:
        translator, model = made(lambda text, wanted: ["ja {x} gut" if wanted.required else "ja gut"])
        translation = translator("gut {x} ja")
        assert (translation.text, translation.flags, translation.warnings) == ("ja {x} gut", (), ())
        (_, first, _), (_, second, wanted) = model.asked
        assert wanted.required == (pieces("{x}"),)
        assert (first.beam, second.beam) == (5, max(5, 2 + len(pieces("{x}"))))

    def test_a_span_behind_no_space_is_required_without_one(self) -> None:
        translator, model = made(lambda text, wanted: ["ja({x}" if wanted.required else "ja"])
        assert translator("ja ({x}").text == "ja({x}"
        assert TOKENS.decode((*pieces("ja"), *model.asked[1][2].required[0])) == "ja{x}"

    def test_what_stays_lost_is_said_and_the_first_translation_stands(self) -> None:
        translator, _ = made(lambda text, wanted: ["nein" if wanted.required else "ja"])
        translation = translator("ja {x} {x}. gut")
        assert (translation.text, translation.flags) == ("ja ja", ("lost",))
        assert [each.flags for each in translation.sentences] == [("lost",), ()]
        assert translation.warnings == ("A translation lacks '{x}', '{x}': 'ja {x} {x}.'",)

    def test_it_can_be_turned_off(self) -> None:
        translator, model = made(lambda text, _: ["ja"])
        assert translator("ja {x}", terms=Terms(protect=False)).flags == ()
        assert len(model.asked) == 1

    def test_a_second_best_that_has_everything_needs_no_second_search(self) -> None:
        translator, model = made(lambda text, _: ["ja", "{x}", "gut"])
        translation = translator("ja {x}", search=SearchConfig(n_best=3))
        assert [each.text for each in translation.hypotheses] == ["{x}", "gut"]
        assert len(model.asked) == 1

    def test_drawn_translations_are_only_watched(self) -> None:
        translator, model = made(lambda text, _: ["ja"])
        assert translator("ja {x}", search=SearchConfig(temperature=1.0)).flags == ("lost",)
        assert len(model.asked) == 1

    def test_the_real_search_says_them(self, backwards: Translator) -> None:
        translation = backwards("der Hund {name} rot 1.5 www.a.org")
        assert all(span in translation.text for span in ("{name}", "1.5", "www.a.org"))
        assert translation.flags == ()


class TestRequired:
    def test_the_real_search_says_it_and_no_longer_word(self, backwards: Translator) -> None:
        translation = backwards("der Hund rot", terms=Terms(required=("Katze", "ein Baum")))
        assert "Katze" in translation.text.split()
        assert "ein Baum" in translation.text
        assert translation.flags == ()

    def test_a_word_that_goes_on_is_none(self) -> None:
        def answer(text: str, wanted: Demands) -> list:
            longer = (*pieces("Hund"), *pieces("Hundert")[1:])
            return [longer if longer[:2] not in wanted.forbidden else "ein Hund"]

        translator, model = made(answer)
        translation = translator("ja", terms=Terms(required=("Hund",)))
        assert (translation.text, translation.flags, len(model.asked)) == ("ein Hund", (), 2)

    def test_what_is_missing_is_said(self) -> None:
        translator, _ = made(lambda text, _: ["ja"])
        translation = translator("nein", terms=Terms(required=("Haus", "ja")))
        assert translation.flags == translation.sentences[0].flags == ("lost",)
        assert translation.warnings == ("A translation lacks 'Haus': 'nein'",)

    def test_of_several_sentences_nobody_knows_which(self) -> None:
        translator, model = made(lambda text, _: [text])
        with pytest.raises(TranslationError) as caught:
            translator(["ja", "ja. nein"], terms=Terms(required=("ja",)))
        assert str(caught.value) == "Required words need a text of one sentence. Received: 2 sentences, 'ja. nein'"
        assert model.asked == []
        assert translator("  ja\n", terms=Terms(required=("ja",))).text == "  ja\n"

    def test_nothing_is_demanded_of_a_text_without_words(self) -> None:
        translator, _ = made(lambda text, _: [text])
        translation = translator(" ", terms=Terms(required=("ja",), prefix="ja"))
        assert (translation.text, translation.flags) == (" ", ())

    @pytest.mark.parametrize("terms", [Terms(required=("ja",)), Terms(glossary={"yes": "ja"})])
    def test_it_needs_search(self, terms: Terms) -> None:
        translator, _ = made(lambda text, _: [text])
        for call in (translator, translator.explain):
            with pytest.raises(TranslationError) as caught:
                call("ja", search=SearchConfig(temperature=0.5), terms=terms)  # type: ignore[operator]
            expected = "Required words and glossaries need search. Received: a temperature of 0.5"
            assert str(caught.value) == expected


class TestForbidden:
    def test_the_real_search_does_not_say_it(self, backwards: Translator) -> None:
        translation = backwards("der Hund rot", terms=Terms(forbidden=("hund",)))
        assert "Hund" not in translation.text
        assert translation.flags == ()
        assert "Hund" in backwards("der Hund rot").text

    def test_both_kinds_of_first_letter_are_banned(self) -> None:
        translator, model = made(lambda text, _: ["ja"])
        translator("ja", terms=Terms(forbidden=("Haus",)))
        assert set(model.asked[0][2].forbidden) == {pieces("Haus"), pieces("haus")}

    def test_another_spelling_is_banned_when_it_comes_up(self) -> None:
        spelt = (*pieces("H"), *(TOKENS.encode("xaus")[-3:]))
        assert TOKENS.decode(spelt) == "Haus"
        assert spelt != pieces("Haus")
        translator, model = made(lambda text, wanted: ["nein" if spelt in wanted.forbidden else (*spelt, *pieces("."))])
        translation = translator("ja", terms=Terms(forbidden=("haus",)))
        assert (translation.text, translation.flags, len(model.asked)) == ("nein", (), 2)

    def test_what_is_said_all_the_same_is_said(self) -> None:
        translator, _ = made(lambda text, _: ["Das Haus"])
        translation = translator("ja", terms=Terms(forbidden=("Haus", "Hausboot")))
        assert translation.flags == ("forbidden",)
        assert translation.warnings == ("A translation says 'Haus', which is forbidden: 'ja'",)


class TestGlossary:
    def test_it_demands_of_each_sentence_what_stands_in_it(self, backwards: Translator) -> None:
        terms = Terms(glossary={"hund": "Katze", "baum": "Haus"})
        translation = backwards("der hund rot. ein Baum gut. ja", terms=terms)
        first, second, third = (each.text.split() for each in translation.sentences)
        assert "Katze" in first and "Katze" not in second
        assert "Haus" in second and "Haus" not in first
        assert third == ["ja"]
        assert translation.flags == ()

    def test_a_term_that_is_missing_is_said(self) -> None:
        translator, _ = made(lambda text, _: ["ja"])
        translation = translator("Hund.", terms=Terms(glossary={"hund": "Katze"}))
        assert translation.warnings == ("A translation lacks 'Katze': 'Hund.'",)


class TestPrefix:
    def test_the_translation_begins_with_it_and_goes_on(self, backwards: Translator) -> None:
        translation = backwards("der Hund rot gut", terms=Terms(prefix="das Haus"))
        assert translation.text == "das Haus Hund der"
        assert translation.flags == ()

    def test_of_several_sentences_it_is_that_of_the_first(self, backwards: Translator) -> None:
        translation = backwards("\nder Hund rot. die Katze gut.", terms=Terms(prefix="das Haus"))
        first, second = (each.text for each in translation.sentences)
        assert first.startswith("das Haus")
        assert second == backwards("die Katze gut.").text

    def test_one_that_is_cut_off_is_said(self, backwards: Translator) -> None:
        translation = backwards("rot", terms=Terms(prefix="das Haus"), search=SearchConfig(max_length=1))
        assert translation.flags == ("cut", "lost")


def test_streams_and_explanations_take_terms(backwards: Translator) -> None:
    terms = Terms(prefix="das Haus")
    lines = ["der Hund rot gut", "ja nein ja"]
    found = [each.text for each in backwards.stream(lines, terms=terms)]
    assert found == [each.text for each in backwards(lines, terms=terms)]
    shown = backwards.explain(lines[0], terms=terms)
    assert shown.translation == found[0]
    assert shown.target[:2] == ("▁das", "▁Haus")


def test_a_line_that_cannot_be_meant_is_named_after_those_before_it(backwards: Translator) -> None:
    stream = backwards.stream(["der Hund", "ja. nein.", "ja"], terms=Terms(required=("ja",)))
    assert "ja" in next(stream).text
    with pytest.raises(TranslationError, match=r"Received: 2 sentences, 'ja\. nein\.' \(line 2\)$"):
        next(stream)


def test_results_do_not_depend_on_company(backwards: Translator, tmp_path: Path) -> None:
    terms = Terms(forbidden=("rot",), glossary={"baum": "Haus"})
    lines = ["der Hund rot", "ein Baum {x}", "ja", "ein Baum rot", "die Katze {x} 5 km"]
    assert [backwards(line, terms=terms) for line in lines] == backwards(lines, terms=terms)


class TestAttention:
    """Which pieces of the source are muted or boosted."""

    def places(self, text: str, *keys: str | int) -> list[str]:
        tokens = scripted.tokens()
        bias = attending.bias(tokens, text, dict.fromkeys(keys, 1.0))
        pieces = [*tokens.pieces(tokens.encode(text)), "</s>"]
        return [piece for piece, value in zip(pieces, bias or [0.0] * len(pieces), strict=True) if value]

    def test_a_word_is_all_its_pieces_wherever_it_stands(self) -> None:
        assert self.places("der Hund , der rot", "der") == ["▁der", "▁der"]
        assert self.places("der Hund", "hund") == ["▁Hund"]
        assert self.places("der hund", "Hund") == []
        assert self.places("ein 😀 rot", "😀") == ["<0xF0>", "<0x9F>", "<0x98>", "<0x80>"]
        assert self.places("ein  Baum rot", "ein Baum") == ["▁ein", "▁Baum"]

    def test_a_position_is_one_piece_the_end_included(self) -> None:
        assert self.places("der Hund rot", 1) == ["▁Hund"]
        assert self.places("der Hund rot", 3) == ["</s>"]
        assert self.places("der Hund rot", 4) == []

    def test_wishes_add_up(self) -> None:
        assert attending.bias(scripted.tokens(), "der Hund", {"Hund": 1.0, 1: 0.5, "der Hund": 2.0}) == (2.0, 3.5, 0.0)
        assert attending.bias(scripted.tokens(), "der Hund", {"Hund": 1.0, 1: -1.0}) == ()

    @pytest.mark.parametrize(
        ("attend", "message"),
        [
            ({-1: 1.0}, r"A position to attend to must be 0 or more\. Received: -1"),
            ({"a": float("nan")}, r"What is added to attention must be a finite number\. Received: nan for 'a'"),
            ({"a": "much"}, r"What is added to attention must be a finite number\. Received: 'much' for 'a'"),
            ({" ": 1.0}, r"A word to attend to must be text\. Received: ' '"),
        ],
    )
    def test_what_cannot_be_meant_is_refused(self, attend: dict, message: str) -> None:
        with pytest.raises(TermsError, match=f"^{message}$"):
            Terms(attend=attend)


def test_a_term_of_a_script_without_spaces_is_demanded_as_it_stands_inside_a_sentence() -> None:
    translator, model = made(lambda text, wanted: ["走了" if wanted.required else "ja"])
    translator("ja", terms=Terms(required=("走了",)))
    assert TOKENS.decode((*pieces("我"), *model.asked[-1][2].required[0])) == "我走了"
