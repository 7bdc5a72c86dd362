"""`seq2seq score`: the scores of given translations are those that translate gives its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scripted

from seq2seq import SearchConfig
from seq2seq.engine import EngineError
from seq2seq.translator import Score, TranslationError, Translator

LINES = ("der Hund rot", "", "die Katze das Haus ein Baum", "rot", "gut ein Haus der")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scripted.write(tmp_path_factory.mktemp("run") / "model")


@pytest.fixture(scope="module")
def translator(model: Path) -> Translator:
    return Translator.load(model)


@pytest.fixture
def files(tmp_path):
    """Writes sources and targets; gives the flags that name them."""

    def files(sources, targets):
        for name, lines in (("s", sources), ("t", targets)):
            (tmp_path / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        return "--source", tmp_path / "s", "--target", tmp_path / "t"

    return files


@pytest.mark.parametrize(
    "flags",
    [
        (),
        ("--length-penalty", "0"),
        ("--word-reward", "0.4", "--length-penalty", "0.6"),
        ("--coverage-penalty", "0.3"),
    ],
)
def test_it_agrees_with_what_translate_gave(flags, run, model, files, tmp_path):
    (tmp_path / "in").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    code, out, _ = run("translate", model, "--input", tmp_path / "in", "--scores", *flags)
    assert code == 0
    given, texts = zip(*(line.split("\t") for line in out.splitlines()), strict=True)
    code, out, err = run("score", model, *files(LINES, texts), *flags)
    assert (code, err) == (0, "")
    assert np.array(out.split(), float) == pytest.approx(np.array(given, float), abs=1e-3)


def test_json_has_each_piece(run, model, files):
    code, out, _ = run("score", model, *files(["der Hund"], ["Hund rot"]), "--json")
    [found] = map(json.loads, out.splitlines())
    assert code == 0
    assert (found["source"], found["target"], found["engine"]) == ("der Hund", "Hund rot", "litert-float32")
    assert found["pieces"] == ["▁Hund", "▁rot", "</s>"]
    likely, unlikely, end = found["log_probs"]
    assert likely > -1 > -5 > unlikely
    assert end == pytest.approx(likely, abs=1e-5)
    assert found["log_prob"] == pytest.approx(likely + unlikely + end)
    assert found["score"] == pytest.approx(found["log_prob"] / ((5 + 3) / 6))


def test_per_piece_is_on_the_line(run, model, files):
    _, out, _ = run("score", model, *files(["der Hund", ""], ["Hund der", ""]), "--per-piece")
    first, blank = out.splitlines()
    score, pieces = first.split("\t")
    assert pieces.split()[::2] == ["▁Hund", "▁der", "</s>"]
    assert sum(map(float, pieces.split()[1::2])) / (8 / 6) == pytest.approx(float(score), abs=1e-3)
    assert blank == "0.0000\t"


def test_different_numbers_of_lines_are_bad_data(run, model, files, tmp_path):
    code, out, err = run("score", model, *files(["a", "b"], ["a"]))
    assert (code, out) == (3, "")
    expected = f"Source and target must have the same number of lines. Received: {tmp_path / 's'} with 2"
    assert expected in err


def test_pairs_of_the_other_direction_are_refused(run, model, translator, tmp_path):
    names = [tmp_path / f"a.{name}" for name in (translator.target_language, translator.source_language)]
    for path in names:
        path.write_text("rot\n", encoding="utf-8")
    code, out, err = run("score", model, "--source", names[0], "--target", names[1])
    assert (code, out) == (2, "")
    assert "in this order; exchange the two, or name the text as it is. Received: " in err


def test_a_sentence_that_is_too_long_is_named_after_those_before_it(run, model, files):
    code, out, err = run("score", model, *files(["ja", "ja " * 300, "ja"], ["ja", "ja", "ja"]))
    assert (code, len(out.splitlines())) == (3, 1)
    assert "at most 256 pieces. Received: 300 (line 2)" in err


class TestInPython:
    def test_nothing_is_split(self, translator: Translator) -> None:
        [found] = translator.score(["der Hund. die Katze."], [". Katze die . Hund der"])
        assert isinstance(found, Score)
        assert found.score == pytest.approx(found.log_prob / ((5 + len(found.pieces)) / 6))

    def test_a_worse_translation_scores_worse(self, translator: Translator) -> None:
        right, wrong, nothing = translator.score(["der Hund"] * 3, ["Hund der", "der Hund", ""])
        assert right.score > wrong.score
        assert right.score > nothing.score
        assert nothing.pieces == ("</s>",)
        assert translator("der Hund", search=SearchConfig()).score == pytest.approx(right.score, abs=1e-5)

    def test_what_is_no_pair_is_refused(self, translator: Translator) -> None:
        with pytest.raises(TranslationError, match=r"^Sources and targets must be equally many\. Received: 2 and 1$"):
            translator.score(["a", "b"], ["a"])
        with pytest.raises(TranslationError, match=r"^Text to translate must be a string\. Received: 3 of type int$"):
            translator.score(["a"], [3])  # type: ignore[list-item]
        with pytest.raises(EngineError):
            translator.score(["ja"], ["ja " * 300])
        assert translator.score([], []) == []
