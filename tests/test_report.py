"""The page and the card: what they count is right, what they show is escaped and needs nothing else."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

pytest.importorskip("sacrebleu")

from seq2seq import report
from seq2seq.report import Contents, Test, drawing, marks

EVIL = "<script>alert(1)</script>"
ENTRY = {"loss": 2.0, "perplexity": 7.4, "valid_perplexity": 9.0, "bleu": 12.5, "learning_rate": 0.001, "seconds": 60.0}


def sentences(**changes) -> Test:
    given = {
        "name": "valid",
        "engine": "litert-int8, beam 5",
        "sources": ["Then Ada paid 1,200 dollars in 2024.", "a b c d e f g h i j k"],
        "translations": ["Dann zahlte Ada 1.200 Dollar.", "x"],
        "references": ["Dann zahlte Ada 2024 1.200 Dollar.", "a b c d e f g h i j k"],
        "flags": [(), ("skips", "skips")],
    }
    return Test(**{**given, **changes})


def test_a_card_counts_what_was_kept() -> None:
    card = report.mark(sentences(), ["repeats", "skips"], samples=20)
    assert (card.numbers.kept, card.numbers.whole) == (1, 2)
    assert (card.names.kept, card.names.whole) == (1, 1)  # "Then" begins the sentence
    assert card.faults == {"repeats": 0, "skips": 1}
    assert [(each.length, each.sentences) for each in card.buckets] == [("1 to 10", 1), ("11 to 20", 1)]
    assert [bad.translation for bad in card.worst] == ["x", "Dann zahlte Ada 1.200 Dollar."]
    assert card.scores["BLEU"][1] > 0
    told = str(card)
    assert "numbers kept: 50.0 % of 2; names kept: 100.0 % of 1" in told
    assert "skips: 1 of 2" in told and "11 to 20 words" in told


def test_digits_of_other_scripts_are_the_same_numbers() -> None:
    assert marks.numbers("٣٫٥ كيلوغرام، １２") == marks.numbers("3.5 kg, 12")


def test_a_text_without_numbers_and_spaces_has_a_card_too() -> None:
    card = report.mark(sentences(sources=["一只狗。", "一" * 30], references=["ein Hund", "eins"]), samples=5)
    assert card.unit == "characters" and [each.length for each in card.buckets] == ["1 to 20", "21 to 40"]
    assert str(card.numbers) == "there are none"


def test_the_ten_worst_are_ten() -> None:
    many = [str(number) for number in range(30)]
    card = report.mark(Test("test", "x", many, many, many, [()] * 30), samples=5)
    assert len(card.worst) == marks.WORST == 10


def test_names_stand_inside_a_sentence() -> None:
    assert sorted(marks.names('He said: "Hello Ada." The end, Bob!')) == ["Ada", "Bob"]


def full() -> Contents:
    card = report.mark(sentences(sources=[EVIL, "b"], translations=[EVIL, "c"]), samples=5)
    example = {"line": 3, "source": EVIL, "target": "x", "note": EVIL}
    corpus = {
        "read": 10, "kept": 8, "dropped": {"empty": 2, "ratio": 0}, "splits": {"train": 6, "valid": 2},
        "drop_examples": {"empty": [example]}, "warnings": [EVIL],
        "findings": [{"kind": EVIL, "count": 1, "meaning": EVIL}],
    }  # fmt: skip
    return Contents(
        title=EVIL,
        state=EVIL,
        history=[ENTRY, ENTRY | {"seconds": 90.0, "chrf": 40.0, "tokens_per_second": 1234.0}],
        samples={1: [(EVIL, EVIL, EVIL)], 2: [(EVIL, "better", EVIL)]},
        corpus=corpus,
        parameters={"embedding": 30, EVIL: 10},
        configuration=f"training: {EVIL}",
        cards=[card],
        notes={"skips": EVIL},
    )


def test_text_is_escaped_wherever_it_stands() -> None:
    page = report.write(full())
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 15


def test_a_page_needs_nothing_but_itself() -> None:
    page = report.write(full())
    assert not re.search(r"https?:|src=|href=|url\(|@import", page)
    assert "prefers-color-scheme:dark" in page and "width=device-width" in page
    for name in ("Report card", "Curves", "Epochs", "The same sentences", "Corpus", "Parameters", "Configuration"):
        assert f"<h2>{name}" in page
    assert "<td dir=auto>1,234</td>" in page and "<td dir=auto>30.0</td>" in page  # tokens and seconds of epoch 2
    assert "75.0 %" in page and "dropped: empty" in page and "dropped: ratio" not in page


def test_a_page_without_an_epoch_can_be_read() -> None:
    page = report.write(Contents("en to de", "in training"))
    assert "in training" in page and "<h2>" not in page


def test_curves_are_well_formed_and_leave_out_what_is_no_number() -> None:
    chart = drawing.curves("a < b", {"one": [1.0, float("nan"), 3.0], "two & more": [2.0, 2.0, 2.0]})
    tree = ElementTree.fromstring(chart)
    assert len(tree.findall(".//circle")) == 5
    assert all(0 <= float(each.get("cy", -1)) <= drawing.HEIGHT for each in tree.findall(".//circle"))
    assert drawing.curves("nothing", {"one": [float("inf")]}) == ""


@pytest.mark.parametrize(("low", "high"), [(0, 0), (5, 5), (0.001, 0.0011), (-3, 2), (1, 1e9), (99.9, 100.1)])
def test_ticks_hold_what_is_drawn_between_them(low: float, high: float) -> None:
    found = drawing.ticks(low, high)
    assert found[0] <= low and found[-1] >= high and 2 <= len(found) <= 7
    assert found == sorted(set(found))
