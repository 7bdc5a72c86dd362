"""kill -9 at random moments all over a training: it goes on to the very weights of one that was never killed."""

from __future__ import annotations

import itertools
import random
import signal
import sys
from pathlib import Path

import pytest

pytest.importorskip("tensorflow")
if sys.platform == "win32":
    pytest.skip("Windows has no SIGKILL", allow_module_level=True)

from witness import INTERVAL, Moment, Training

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def moments(draw: random.Random, full: bool) -> list[Moment]:
    """In the order of a training: it is prepared once and exported once, and between these all is mixed."""
    many = (3, 7, 4, 2, 4) if full else (0, 1, 1, 0, 0)
    preparing = [Moment("preparing", 1, draw.uniform(0, 0.1)) for _ in range(many[0])]
    training = [Moment("batch", draw.randint(1, 8), draw.uniform(0, 0.1)) for _ in range(many[1])]
    training += [Moment("saving", draw.randint(1, 4), draw.uniform(0, 0.004)) for _ in range(many[2])]
    training += [Moment("judging", 1, draw.uniform(0, 0.3)) for _ in range(many[3])]
    draw.shuffle(training)
    shipping = [Moment("exporting", 1, draw.uniform(0, 4)) for _ in range(many[4] - many[4] // 2)]
    shipping += [Moment("writing", 1 + turn % 2, draw.uniform(0, 0.01)) for turn in range(many[4] // 2)]
    return preparing + training + shipping


def batches(life: list[dict]) -> list[tuple[int, int]]:
    return [(each["epoch"], each["batch"]) for each in life if each["what"] == "batch"]


def lost(before: list[dict], after: list[dict]) -> list[dict]:
    """The batches of a life that the next one began again with."""
    first = batches(after)[0]
    return [each for each in before if each["what"] == "batch" and (each["epoch"], each["batch"]) >= first]


def test_killed_at_any_moment_it_goes_on_to_the_same_weights(tmp_path: Path, full: bool) -> None:
    whole, killed = Training(tmp_path / "whole"), Training(tmp_path / "killed")
    assert whole.live() == 0, whole.said()
    planned = moments(random.Random(7), full)
    for moment in planned:
        assert killed.live(moment) == -signal.SIGKILL, f"{moment} never came: {killed.said()}"
    assert killed.live() == 0, killed.said()
    assert killed.digests() == whole.digests()
    assert not [path for path in killed.run.rglob("*") if ".partial" in path.name or ".old" in path.name]

    lives = [life for life in killed.lives if batches(life)]
    counts = []
    for before, after in itertools.pairwise(lives):
        again = lost(before, after)
        counts.append(len(again))
        if len(again) > 1:  # the last one of them may have ended the interval
            assert again[-2]["seconds"] - again[0]["seconds"] <= INTERVAL
    assert sum(map(len, map(batches, lives))) == len(batches(whole.lives[0])) + sum(counts)
    print(f"{len(planned)} kills, {len(batches(whole.lives[0]))} batches, done again after each: {counts}")
