"""Scores that can be worked out by hand, and a significance test that finds what is there and nothing else."""

from __future__ import annotations

import builtins
import dataclasses
import json
import random

import pytest

from seq2seq import evaluation
from seq2seq.evaluation import EvaluationError

pytest.importorskip("sacrebleu")

REFERENCES = ["the cat sat on the mat", "a dog ran home", "we all like green tea a lot"] * 10


def worse(share: float, seed: int) -> list[str]:
    """The references with some of their words replaced."""
    draw = random.Random(seed)
    return [" ".join("x" if draw.random() < share else word for word in line.split()) for line in REFERENCES]


class TestScore:
    def test_the_reference_itself_is_perfect(self) -> None:
        scores = evaluation.score(REFERENCES, REFERENCES)
        assert (scores.bleu, scores.chrf, scores.ter) == pytest.approx((100, 100, 0))
        assert scores.sentences == 30

    def test_ter_counts_edits(self) -> None:
        assert evaluation.score(["a b c x"], ["a b c d"]).ter == pytest.approx(25)

    def test_bleu_is_the_geometric_mean_of_four_precisions(self) -> None:
        scores = evaluation.score(["a b c d e f g x"], ["a b c d e f g h"])
        assert scores.bleu == pytest.approx(100 * (7 / 8 * 6 / 7 * 5 / 6 * 4 / 5) ** 0.25)

    def test_nothing_in_common_scores_zero(self) -> None:
        scores = evaluation.score(["aaa"], ["bbb"])
        assert (scores.bleu, scores.chrf, scores.ter) == pytest.approx((0, 0, 100))

    def test_signatures_say_how(self) -> None:
        signatures = evaluation.score(REFERENCES, REFERENCES).signatures
        assert set(signatures) == {"bleu", "chrf", "ter"}
        assert "tok:13a" in signatures["bleu"]
        assert "nc:6" in signatures["chrf"]
        assert all("version:" in each for each in signatures.values())

    def test_a_quoted_word_does_not_change_the_language(self) -> None:
        chinese = ["猫坐在垫子上。"] * 50
        assert evaluation.tokenization([*chinese, "卡尔・马克思爱猫。", "他说「ねこ」。"]) == "zh"

    def test_text_without_letters_has_the_usual_words(self) -> None:
        assert evaluation.tokenization(["1984", "+ 3"]) == "13a"

    def test_a_part_is_scored_with_the_words_of_the_whole(self) -> None:
        assert evaluation.score(["1985"], ["1984"], words="char").bleu > evaluation.score(["1985"], ["1984"]).bleu == 0

    @pytest.mark.parametrize(
        ("reference", "translation", "words"),
        [
            ("猫はマットの上に座っている。", "猫はマットの下に座っている。", {"char", "ja-mecab"}),
            ("猫坐在垫子上。", "猫坐在桌子上。", {"zh"}),
            ("แมวนั่งอยู่บนเสื่อ", "แมวนั่งอยู่บนพื้น", {"char"}),
            ("Кот сидит на коврике у двери.", "Кот сидит на коврике у окна.", {"13a"}),
        ],
        ids=["ja", "zh", "th", "ru"],
    )
    def test_words_are_found_without_spaces(self, reference: str, translation: str, words: set[str]) -> None:
        assert evaluation.tokenization([reference]) in words
        scores = evaluation.score([translation], [reference])
        assert 30 < scores.bleu < 95
        assert 0 < scores.ter < 70 or "ส" in reference  # TER takes a run of Thai for a word
        assert evaluation.score([reference], [reference]).bleu == pytest.approx(100)
        assert any(f"tok:{each}" in scores.signatures["bleu"] for each in words)
        [bleu, *_] = evaluation.bootstrap([translation] * 3, [reference] * 3, [reference] * 3, samples=20).comparisons
        assert 30 < bleu.first < bleu.second

    def test_it_is_json(self) -> None:
        scores = evaluation.score(worse(0.2, 1), REFERENCES)
        assert json.loads(json.dumps(dataclasses.asdict(scores))) == dataclasses.asdict(scores)


class TestBootstrap:
    def test_a_clear_difference_is_significant(self) -> None:
        found = evaluation.bootstrap(worse(0.05, 1), worse(0.5, 2), REFERENCES, samples=200)
        assert [each.metric for each in found.comparisons] == ["BLEU", "chrF", "TER"]
        bleu, chrf, ter = found.comparisons
        assert bleu.first > bleu.second
        assert chrf.first > chrf.second
        assert ter.first < ter.second
        assert all(each.p_value < 0.05 for each in found.comparisons)
        assert all(each.first_interval > 0 for each in found.comparisons)
        assert bleu.first == pytest.approx(evaluation.score(worse(0.05, 1), REFERENCES).bleu)

    def test_chance_is_not(self) -> None:
        bad = worse(0.3, 3)[:15] * 2  # equal lines, and each system has every second one right
        first, second = ([REFERENCES[i] if i % 2 == which else bad[i] for i in range(30)] for which in (0, 1))
        found = evaluation.bootstrap(first, second, REFERENCES, samples=200)
        assert all(each.p_value > 0.05 for each in found.comparisons)

    def test_a_system_does_not_differ_from_itself(self) -> None:
        system = worse(0.3, 5)
        found = evaluation.bootstrap(system, list(system), REFERENCES, samples=20)
        assert [each.p_value for each in found.comparisons] == [1.0] * 3

    def test_a_difference_of_nothing_is_not_significant(self) -> None:
        system = worse(0.3, 5)
        found = evaluation.bootstrap(system, [each.upper() for each in system], REFERENCES, samples=50)
        bleu, _, ter = found.comparisons
        assert (ter.first, ter.p_value) == (ter.second, 1.0)  # TER does not know case
        assert bleu.first > bleu.second and bleu.p_value < 0.05

    def test_the_same_texts_give_the_same_numbers(self) -> None:
        systems = worse(0.1, 6), worse(0.2, 7)
        first = evaluation.bootstrap(*systems, REFERENCES, samples=50)
        assert first == evaluation.bootstrap(*systems, REFERENCES, samples=50)
        assert all("seed:12345" in each.signature and "bs:50" in each.signature for each in first.comparisons)

    def test_it_is_json_and_a_table(self) -> None:
        found = evaluation.bootstrap(worse(0.1, 8), worse(0.2, 9), REFERENCES, samples=20)
        assert len(json.loads(json.dumps(dataclasses.asdict(found)))["comparisons"]) == 3
        assert [line.split()[0] for line in str(found).splitlines()] == ["BLEU", "chrF", "TER"]


class TestMessages:
    def test_as_many_references_as_translations(self) -> None:
        pattern = r"^There must be a reference for each translation\. Received: 1 translations, 2 references$"
        with pytest.raises(EvaluationError, match=pattern):
            evaluation.score(["a"], ["a", "b"])
        with pytest.raises(EvaluationError, match=pattern):
            evaluation.bootstrap(["a", "b"], ["a"], ["a", "b"])

    def test_at_least_one(self) -> None:
        with pytest.raises(EvaluationError, match=r"^There must be a sentence to score\. Received: none$"):
            evaluation.score([], [])

    def test_without_sacrebleu(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = builtins.__import__

        def missing(module: str, *arguments: object) -> object:
            if module.startswith("sacrebleu"):
                raise ModuleNotFoundError(f"No module named {module!r}", name=module)
            return real(module, *arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(builtins, "__import__", missing)
        with pytest.raises(
            EvaluationError, match=r"^Scores need sacreBLEU: pip install 'seq2seq\[train\]'\. Received: "
        ):
            evaluation.score(["a"], ["a"])


def test_intervals_shrink_with_the_number_of_sentences_and_are_those_of_the_paired_test():
    said, wanted = ["a b c d e", "x y c d z", "f g h i j"], ["a b c d e", "a b c d e", "f g h i k"]
    few, many = evaluation.intervals(said * 3, wanted * 3), evaluation.intervals(said * 100, wanted * 100)
    comparisons = evaluation.bootstrap(said * 3, said * 3, wanted * 3).comparisons[:2]
    for name, comparison in zip(("BLEU", "chrF"), comparisons, strict=True):
        assert few[name] == pytest.approx((comparison.first, comparison.first_interval))
        assert 0 < many[name][1] < few[name][1] / 3


def test_an_interval_of_sentences_of_which_most_score_nothing():
    found = evaluation.intervals(["a b c d e", *"vwxyz"], ["a b c d e", *"abcde"], samples=50)
    assert 0 <= found["BLEU"][0] <= 100 and found["chrF"][1] > 0


def test_chrf_of_each_sentence():
    assert evaluation.sentences(["abc", "xyz"], ["abc", "abc"]) == pytest.approx([100.0, 0.0])
