"""The noisy channel: the candidate from which its source is found again comes first."""

from __future__ import annotations

import pytest

from seq2seq import channel
from seq2seq.engine import EngineError, RunError
from seq2seq.translator import Candidate, Translation
from seq2seq.translator.scoring import Score


def translation(source: str, **log_probs: float) -> Translation:
    """Its candidates, by what they say."""
    candidates = [Candidate(text, log_prob / 2, log_prob, (), True) for text, log_prob in log_probs.items()]
    best = candidates[0]
    return Translation(source, best.text, best.score, tuple(candidates), (), (), "stand-in", ())


class Back:
    """Finds a source the more probable, the more of its letters a candidate has; more than 20 letters are too many."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def score(self, sources, targets):
        self.asked.append(len(sources))
        if any(len(text) > 20 for text in targets):
            raise EngineError("A source must have at most 20 letters. Received: more")
        return [
            Score(source, target, 0.0, -2.0 * len(set(target) - set(source)), (), (), "stand-in")
            for source, target in zip(sources, targets, strict=True)
        ]


def test_what_leaves_less_out_comes_first():
    [said] = channel.reranked([translation("abc", a=-1.0, abc=-2.0, ab=-1.5)], Back())
    # -1 - 0.4 * 4, -2 and -1.5 - 0.4 * 2
    assert [each.text for each in said.hypotheses] == ["abc", "ab", "a"]
    assert (said.source, said.text, said.score) == ("abc", "abc", -1.0)


def test_both_models_count():
    [said] = channel.reranked([translation("abc", a=-1.0, abc=-3.0)], Back())
    assert said.text == "a"


def test_equals_keep_their_order():
    [said] = channel.reranked([translation("abc", cab=-1.0, abc=-1.0)], Back())
    assert said.text == "cab"


def test_many_are_scored_together_and_come_out_in_order(monkeypatch):
    monkeypatch.setattr(channel, "BLOCK", 3)
    back = Back()
    given = [translation(f"ab{n}", a=-1.0, **{f"ab{n}": -1.1}) for n in range(7)]
    assert [each.text for each in channel.reranked(iter(given), back)] == [f"ab{n}" for n in range(7)]
    assert back.asked == [6, 6, 2]


def test_one_candidate_is_not_scored():
    back = Back()
    given = [translation("abc", a=-1.0), translation("abc", a=-1.0, abc=-1.1)]
    assert [each.text for each in channel.reranked(given, back)] == ["a", "abc"]
    assert back.asked == [2]


def test_a_text_that_is_too_long_keeps_its_order_and_stops_no_other():
    long = translation("abc" * 9, b=-3.0, abc=-4.0)
    said = list(channel.reranked([translation("abc", a=-1.0, abc=-2.0), long], Back()))
    assert said[0].text == "abc"
    assert said[1] is long


def test_a_model_that_cannot_run_is_not_taken_for_a_long_text(monkeypatch):
    def broken(*_):
        raise RunError("A model must give finite scores. Received: [nan]")

    back = Back()
    monkeypatch.setattr(back, "score", broken)
    with pytest.raises(RunError, match="must give finite scores"):
        list(channel.reranked([translation("abc", a=-1.0, abc=-2.0)] * 2, back))


@pytest.mark.parametrize("many", [0, 1])
def test_without_text_nothing_comes_out(many):
    assert len(list(channel.reranked([translation("", **{"": 0.0})] * many, Back()))) == many
