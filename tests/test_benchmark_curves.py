"""The benchmark of learning curves reads what models keep of their training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def curves(benchmark: Callable[[str], Any]) -> Any:
    return benchmark("curves")


@pytest.fixture
def pretrained(root: Path) -> str:
    folder = root / "seq2seq" / "pretrained" / "en-de"
    if not folder.is_dir():
        pytest.skip("no model ships yet")
    return str(folder)


def test_minutes_until_a_score_is_passed(curves: Any) -> None:
    line = [(2.0, 10.0), (4.0, 31.0), (6.0, 30.5)]
    assert [curves.until(line, bleu) for bleu in (10, 10.5, 31, 32)] == [2.0, 4.0, 4.0, None]
    assert curves.table({"a": line}).splitlines()[-1] == "| a | 4 | 4 | - | 31.0 | 4 |"


def test_a_table_and_a_chart_come_of_model_folders(curves: Any, pretrained: str, tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("matplotlib")
    curves.main([pretrained, f"again={pretrained}", "--chart", str(tmp_path / "curves.png")])
    rows = capsys.readouterr().out.splitlines()
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| en-de", "| again"]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_no_model_is_one_sentence(curves: Any, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"error: A model must .* Received: "):
        curves.main([str(tmp_path / "none")])


def test_two_of_one_name_are_one_sentence(curves: Any, pretrained: str) -> None:
    with pytest.raises(SystemExit, match=r"error: Each model must have its own name; .* Received: en-de twice"):
        curves.main([pretrained, pretrained])
