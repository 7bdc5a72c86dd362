"""The benchmark of quality scores every line of a test set, in its row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sacrebleu")
pytest.importorskip("sacremoses")


@pytest.fixture(scope="module")
def quality(benchmark: Callable[[str], Any]) -> Any:
    return benchmark("quality")


def test_equal_and_blank_lines_keep_their_rows(quality: Any, tmp_path: Path) -> None:
    source, reference = tmp_path / "x.en", tmp_path / "x.de"
    source.write_text("a\na\n\nb\n")
    reference.write_text("x\ny\n\ny\n")
    assert quality.test_set(source, reference) == (["a", "a", "", "b"], ["x", "y", "", "y"])


def test_files_of_different_length_are_one_sentence(quality: Any, pretrained: Path, tmp_path: Path) -> None:
    source, reference = tmp_path / "x.en", tmp_path / "x.de"
    source.write_text("a\nb\n")
    reference.write_text("x\n")
    with pytest.raises(SystemExit, match=r"error: Source and reference must .* Received: 2 in .*x.en, 1 in .*x.de"):
        quality.main([str(pretrained), "--source", str(source), "--reference", str(reference)])


def test_lower_cased_words_are_those_of_moses(quality: Any) -> None:
    assert quality.lower_cased(["„Das ist Ein Haus!“"], ['"das ist ein haus !"'], "de") == pytest.approx(100)
    assert quality.lower_cased(["das ist ein haus ."], ["das ist kein hund ."], "de") < 50


def test_models_that_repeat_themselves_have_no_spread(
    quality: Any, pretrained: Path, tmp_path: Path, capsys: Any
) -> None:
    source, reference = tmp_path / "x.en", tmp_path / "x.de"
    source.write_text("The dog sleeps.\nThe dog sleeps.\nWe are here.\n")
    reference.write_text("Der Hund schläft.\nDer Hund schläft.\nWir sind hier.\n")
    quality.main([*[str(pretrained)] * 2, "--source", str(source), "--reference", str(reference), "--beam", "1"])
    rows = [row.split(" | ") for row in capsys.readouterr().out.splitlines()]
    assert rows[2] == rows[3] and rows[2][0] == "| en-de"
    assert rows[4][0] == "| mean of 2" and all(" ± 0.0" in cell for cell in rows[4][2:])
