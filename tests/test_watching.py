"""What a run leaves to look at: it grows with the epochs, survives a resume, and ends with the card."""

from __future__ import annotations

import io
import json
import re
import time

import numpy as np
import pytest

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")

from seq2seq import config, progress  # noqa: E402
from seq2seq.config import ModelConfig  # noqa: E402
from seq2seq.model import Seq2Seq  # noqa: E402
from seq2seq.pipeline import material  # noqa: E402
from seq2seq.pipeline.run import Run  # noqa: E402
from seq2seq.pipeline.watching import Watch  # noqa: E402
from seq2seq.progress.board import picture  # noqa: E402
from seq2seq.translator import Translation  # noqa: E402

ENTRY = {
    "loss": 2.0, "perplexity": 7.4, "valid_perplexity": 9.0, "bleu": 12.5, "chrf": 40.0, "learning_rate": 0.001,
    "seconds": 60.0, "tokens_per_second": 1234.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def model() -> Seq2Seq:
    return Seq2Seq(ModelConfig(embedding=5, units=8), 12)


@pytest.fixture
def run(tmp_path) -> Run:
    (tmp_path / "data").mkdir()
    for name, lines in {"valid.en": "one\ntwo 2\n", "valid.de": "eins\nzwei 2\n"}.items():
        (tmp_path / "data" / name).write_text(lines)
    return Run(tmp_path)


def watch(run: Run, model: Seq2Seq, history: list, said: str = "<b>eins</b>") -> Watch:
    resolved = config.build({"source_language": "en", "target_language": "de"})
    return Watch(run, resolved, model, samples=lambda: [("one", said, "eins")], history=lambda: history, left_out={})


def translation(text: str, engine: str = "litert-int8", flags: tuple[str, ...] = ()) -> Translation:
    return Translation("", text, 0.0, (), (), (), engine, flags)


def page(run: Run) -> str:
    return (run.folder / "report.html").read_text(encoding="utf-8")


def test_the_page_is_there_from_the_start_and_grows(run, model):
    history: list[dict[str, float]] = []
    watched = watch(run, model, history)
    watched.on_train_begin()
    assert "in training: 0 of at most" in page(run) and "<svg" not in page(run)
    history.append(ENTRY)
    watched.on_epoch_end(0)
    assert "in training: 1 of at most" in page(run)
    assert "&lt;b&gt;eins&lt;/b&gt;" in page(run) and "<b>" not in page(run) and page(run).count("<svg") == 4
    assert not list(run.folder.glob("*.partial"))


def test_a_resumed_run_keeps_the_samples_of_the_epochs_that_count(run, model):
    (run.folder / "samples.json").write_text(json.dumps({n: [["one", f"said {n}", "eins"]] for n in (1, 2, 3)}))
    watch(run, model, [ENTRY, ENTRY]).on_train_begin()
    assert "said 1" in page(run) and "said 2" in page(run) and "said 3" not in page(run)


def test_a_new_run_has_no_samples_of_another(run, model):
    (run.folder / "samples.json").write_text(json.dumps({"1": [["one", "said 1", "eins"]]}))
    watch(run, model, []).on_train_begin()
    assert "said 1" not in page(run)


def test_the_card_is_of_the_first_engine_and_its_widest_beam(run, model):
    watched, told = watch(run, model, [ENTRY]), []
    watched.hear("valid", 1, [translation("x"), translation("y")])
    watched.hear("valid", 5, [translation("eins"), translation("zwei 2", flags=("repeats",))])
    watched.hear("valid", 5, [translation("x", "tensorflow-float32"), translation("y", "tensorflow-float32")])
    watched.finish(told.append)
    assert told[0].startswith("report card, valid, litert-int8, beam 5: BLEU ")
    assert told[0].endswith("chrF 100.0 ± 0.0 (95 %), 2 sentences")
    assert "    repeats: 1 of 2" in told and "    numbers kept: 100.0 % of 1; names kept: there are none" in told
    assert (run.folder / "training.log").read_text(encoding="utf-8").splitlines() == told[:-1]
    assert "finished: 1 of" in page(run) and "Report card" in page(run)


def test_a_run_that_went_astray_says_so_in_its_folder(run, model):
    watched, told = watch(run, model, [ENTRY]), []
    watched.finish(told.append, "The loss must stay finite; lower training.learning_rate")
    (line,) = (run.folder / "training.log").read_text(encoding="utf-8").splitlines()
    assert line == "The loss must stay finite; lower training.learning_rate" and line not in told
    assert "went astray: 1 of at most" in page(run) and line in page(run) and "finished" not in page(run)


def test_the_log_says_rate_and_learning_rate(tmp_path):
    said = []
    progress.Story(said.append, tmp_path / "log", list, list).on_epoch_end(0, ENTRY)
    assert said[0].endswith("1.0 minutes, 1,234 tokens/s, learning rate 0.001")
    assert (tmp_path / "log").read_text() == said[0] + "\n"


def test_an_epoch_is_the_best_of_all_also_after_a_resumption(tmp_path):
    said = []
    history = [ENTRY | {"bleu": bleu} for bleu in (3.0, 30.0, 25.0, 31.0)]
    story = progress.Story(said.append, tmp_path / "log", list, lambda: history)
    for epoch in (2, 3):
        story.on_epoch_end(epoch, history[epoch])
    assert ["(best so far)" in line for line in said] == [False, True]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_of_a_resumed_run_begins_where_it_was_stopped(monkeypatch):
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    monkeypatch.setenv("COLUMNS", "160")
    bar = progress.Bar()
    bar.on_train_begin({"steps": 100, "epochs": 10})
    bar.on_epoch_begin(5, {"batches": 10, "batch": 4})
    for batch in range(4, 10):
        bar.on_train_batch_end(batch, {"seconds": 500.0 + batch, "tokens": 1200.0, "loss": 2.5})
        time.sleep(0.12)
    bar.on_epoch_end(5, {"seconds": 512.0})
    bar.on_epoch_begin(6, {"batches": 10, "batch": 0})
    bar.on_train_batch_end(0, {"seconds": 513.0, "tokens": 1200.0, "loss": 2.4})
    shown = terminal.getvalue().replace("\n", "").split("\r")
    bar.on_train_end()
    assert any("epoch 6" in each and "60/100" in each and "loss 2.500, 1,200 tokens/s" in each for each in shown)
    rates = [float(found) for found in re.findall(r"([\d.]+)\s?batch/s", terminal.getvalue())]
    assert rates and max(rates) < 50  # 54 batches of an earlier command would be hundreds
    assert not re.findall(r"[^ ]+<00:00", "".join(shown))


def test_without_a_terminal_there_is_no_bar(monkeypatch):
    monkeypatch.setattr("sys.stderr", said := io.StringIO())
    bar = progress.Bar()
    bar.on_train_begin({"steps": 100, "epochs": 10})
    bar.on_epoch_begin(0, {"batches": 10, "batch": 0})
    bar.on_train_batch_end(0, {"seconds": 1.0, "tokens": 1200.0, "loss": 2.5})
    bar.on_train_end()
    assert not said.getvalue()


def look() -> progress.Look:
    attention = np.full((2, 3), 1 / 3, np.float32)
    return progress.Look(("▁$a$", "▁犬", "</s>"), ("▁x_1^", "</s>"), attention, {"decoder 1/forget": np.ones((2, 4))})


def test_pairs_that_are_left_out_stand_in_the_page(run, model):
    told = {"read": 9, "kept": 8, "dropped": {}, "splits": {"train": 6}, "findings": [], "warnings": []}
    (run.data / "report.json").write_text(json.dumps(told))
    resolved = config.build({"source_language": "en", "target_language": "de"})
    left_out = material.left_out(run, resolved, 4)
    assert material.left_out(run, resolved, 6) == {}
    Watch(run, resolved, model, samples=list, history=list, left_out=left_out).on_train_begin()
    assert "left out of train: over 100 pieces</td><td dir=auto>2<" in page(run)


def test_a_picture_has_colours_and_takes_any_piece():
    drawn = picture(look())
    assert drawn.dtype == np.uint8 and drawn.shape[2] == 3 and drawn.min() < 100


def test_of_a_long_sentence_the_beginning_is_drawn():
    attention = np.full((522, 256), 0.5)
    source, target = (("x",) * count for count in reversed(attention.shape))
    short = progress.Look(source[:60], target[:60], attention[:60, :60], {})
    assert picture(progress.Look(source, target, attention, {})).shape == picture(short).shape


def test_tensorboard_gets_scores_attention_and_gates(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorflow import make_ndarray

    board = progress.TensorBoard(tmp_path, lambda: [look()])
    board.on_train_begin({"epochs": 1, "steps": 10})
    board.on_epoch_begin(0, {"batches": 10, "batch": 0})
    own = {"batch_loss": 3.0, "batch_perplexity": 9.0, "gradient_norm": 0.5}
    board.on_train_batch_end(0, {"loss": 2.0, "perplexity": 7.0, **own})
    board.on_epoch_end(0, ENTRY)
    board.on_train_end()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    numbers = {"batch/loss": 3.0, "batch/perplexity": 9.0, "batch/gradient_norm": 0.5}
    numbers |= {f"epoch/{name}": value for name, value in ENTRY.items() if name != "seconds"}
    assert set(events.Tags()["tensors"]) == {*numbers, "attention/sentence 1", "gates/decoder 1/forget"}
    for tag, value in numbers.items():
        (shown,) = events.Tensors(tag)
        assert float(make_ndarray(shown.tensor_proto)) == pytest.approx(value)


def test_batches_of_epochs_of_any_length_follow_each_other(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorflow import make_ndarray

    board = progress.TensorBoard(tmp_path, every=2)
    board.on_train_begin({"epochs": 3, "steps": 30})
    for epoch, length in enumerate((10, 12, 8)):
        board.on_epoch_begin(epoch, {"batches": length, "batch": 0})
        for batch in range(length):
            own = {"batch_loss": 100.0 * epoch + batch, "batch_perplexity": 2.0, "gradient_norm": 1.0}
            board.on_train_batch_end(batch, {"loss": 0.5, "perplexity": 0.5, **own})
    board.on_train_end()
    events = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0})
    events.Reload()
    shown = [(each.step, float(make_ndarray(each.tensor_proto))) for each in events.Tensors("batch/loss")]
    assert shown[:6] == [(0, 0.0), (2, 2.0), (4, 4.0), (6, 6.0), (8, 8.0), (10, 100.0)]
    assert [step for step, _ in shown] == sorted({step for step, _ in shown}) and shown[-1] == (28, 206.0)
