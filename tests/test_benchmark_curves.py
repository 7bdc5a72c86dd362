"""The benchmark of learning curves reads what models keep of their training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq import bundle, config
from seq2seq.tokenizer import Tokenizer, train


@pytest.fixture(scope="module")
def curves(benchmark: Callable[[str], Any]) -> Any:
    return benchmark("curves")


def test_minutes_until_a_score_is_passed(curves: Any) -> None:
    line = [(2.0, 10.0), (4.0, 31.0), (6.0, 30.5)]
    assert [curves.until(line, bleu) for bleu in (10, 10.5, 31, 32)] == [2.0, 4.0, 4.0, None]
    assert curves.table({"a": line}).splitlines()[-1] == "| a | 4 | 4 | - | 31.0 | 4 |"


def test_a_table_and_a_chart_come_of_model_folders(curves: Any, pretrained: Path, tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("matplotlib")
    curves.main([str(pretrained), f"again={pretrained}", "--chart", str(tmp_path / "curves.png")])
    rows = capsys.readouterr().out.splitlines()
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| en-de", "| again"]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_by_epochs_a_model_counts_them_from_one(curves: Any, pretrained: Path, capsys: Any) -> None:
    curves.main([str(pretrained), "--by", "epochs"])
    title, _, row = capsys.readouterr().out.splitlines()
    assert title == "| model | epochs to 20 | epochs to 30 | epochs to 35 | best | epochs to the best |"
    by_minutes, by_epochs = curves.curve(pretrained), curves.curve(pretrained, "epochs")
    assert [epoch for epoch, _ in by_epochs] == list(range(1, bundle.load(pretrained).provenance["epochs"] + 1))
    assert [bleu for _, bleu in by_epochs] == [bleu for _, bleu in by_minutes]
    assert row.startswith(f"| en-de | {curves.until(by_epochs, 20)} | ")


LOG = """
2026-11-29 05:08:36,160 - INFO - joeynmt.prediction - Model(
	encoder=RecurrentEncoder(rnn=LSTM(256, 256, batch_first=True, bidirectional=True)))
2026-11-29 05:08:40,910 - INFO - joeynmt.training - EPOCH 1
2026-11-29 05:09:10,910 - INFO - joeynmt.prediction - Evaluation result (greedy): bleu:   0.02, loss:   4.72, ppl: 112.7
2026-11-29 05:09:20,000 - INFO - joeynmt.training - EPOCH 2
2026-11-29 05:10:40,910 - INFO - joeynmt.prediction - Evaluation result (greedy): bleu:  21.50, loss:   3.72, ppl: 12.72
"""


def test_the_log_of_joey_nmt_is_read_from_its_first_epoch_on(curves: Any, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "x" / curves.LOG
    path.parent.mkdir(parents=True)
    path.write_text(LOG)
    curves.main([f"joeynmt={tmp_path / 'x'}"])
    assert capsys.readouterr().out.splitlines()[-1] == "| joeynmt | 2 | - | - | 21.5 | 2 |"
    assert curves.curve(tmp_path / "x") == [(0.5, 0.02), (2.0, 21.5)]
    with pytest.raises(SystemExit, match=r"error: A curve by epochs must be one of our models. Received: .*x"):
        curves.main([f"joeynmt={tmp_path / 'x'}", "--by", "epochs"])
    path.write_text(LOG.partition("EPOCH 2")[0].partition("Evaluation")[0])
    with pytest.raises(SystemExit, match=r"error: A log of Joey NMT must .* Received: none"):
        curves.main([f"joeynmt={tmp_path / 'x'}"])


def test_joey_nmt_is_told_of_our_corpus_and_tokenizer(benchmark: Callable[[str], Any], tmp_path: Path) -> None:
    joey = benchmark("joey_training")
    settings = {"model": {"units": 64}, "source_language": "en", "target_language": "de"}
    (tmp_path / "config.yaml").write_text(config.dump(config.build(settings)))
    told = joey.settings(tmp_path, tmp_path / "out", epochs=3, every=10)
    assert told["data"]["train"] == str(tmp_path / "data" / "train") and told["data"]["trg"]["lang"] == "de"
    assert told["model"]["decoder"]["hidden_size"] == 64 and told["training"]["batch_size"] == 1200
    tokenizer = Tokenizer(train(["the cat sat", "the dog sat"] * 9, vocabulary=272))
    pieces = joey.vocabulary(tokenizer).splitlines()
    assert len(pieces) == len(tokenizer) and pieces[:4] == ["<unk>", "<pad>", "<s>", "</s>"]
    assert pieces[4:] == tokenizer.pieces(range(4, len(tokenizer)))


def test_what_is_no_model_is_one_sentence(curves: Any, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"error: A model must .* Received: "):
        curves.main([str(tmp_path / "none")])


def test_two_of_one_name_are_one_sentence(curves: Any, pretrained: Path) -> None:
    with pytest.raises(SystemExit, match=r"error: Each model must have its own name; .* Received: en-de twice"):
        curves.main([str(pretrained), str(pretrained)])
