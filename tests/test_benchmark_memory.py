"""The benchmark of memory: its gradients are right, it goes on where it was ended, and it says what went wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
pytest.importorskip("matplotlib")
TINY = ["--units", "6", "--remember", "2", "--steps", "3", "--batch", "4"]


@pytest.fixture(scope="module")
def memory(benchmark: Callable[[str], Any]) -> Any:
    return benchmark("memory")


@pytest.mark.parametrize("kind", ["lstm", "plain"])
def test_the_gradient_by_hand_is_that_of_the_tape(memory: Any, kind: str) -> None:
    net = memory.network(kind, 5)
    x, symbols = memory.examples(np.random.default_rng(0), 3, 4, 2)
    told = memory.felt(net, x, symbols)
    assert told.shape == (8, 3)
    kernel, recurrent, bias = (weight.numpy() for weight in net.layer.weights)
    z = tf.constant(x @ kernel + bias)
    before = tf.zeros((3, 5))
    kept, state = [], (before, before)
    with tf.GradientTape() as tape:
        for t in range(8):
            if kind == "plain":
                h = tf.tanh(z[:, t] + state[0] @ recurrent)
                tape.watch(h)
                kept.append(h)
                state = (h, h)
            else:
                i, f, g, o = tf.split(z[:, t] + state[0] @ recurrent, 4, axis=-1)
                c = tf.sigmoid(f) * state[1] + tf.sigmoid(i) * tf.tanh(g)
                tape.watch(c)
                kept.append(c)
                state = (tf.sigmoid(o) * tf.tanh(c), c)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(symbols[:, -1], net.readout(state[0]))
    expected = [np.linalg.norm(each, axis=-1) for each in tape.gradient(loss, kept)]
    np.testing.assert_allclose(told, expected[::-1], atol=1e-5)


def test_the_task_is_to_say_at_the_end_what_was_read_at_the_beginning(memory: Any) -> None:
    x, symbols = memory.examples(np.random.default_rng(0), 2, 3, 2)
    kinds = x.argmax(axis=-1)
    assert (kinds[:, :2] == symbols).all()
    assert kinds[:, 2:].tolist() == [[memory.BLANK] * 3 + [memory.MARK] * 2] * 2


def test_it_goes_on_where_it_was_ended(memory: Any, tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    figures, chart, asset = (tmp_path / name for name in ("figures.json", "chart.png", "asset.json"))
    memory.main([*TINY, "--json", str(figures), "--lengths", "3"])
    first = json.loads(figures.read_text())
    assert [(row["network"], row["blanks"]) for row in first["rows"]] == [("lstm", 3), ("plain", 3)]
    capsys.readouterr()
    files = ["--json", str(figures), "--chart", str(chart), "--asset", str(asset)]
    memory.main([*TINY, *files, "--lengths", "3", "4"])
    assert len(capsys.readouterr().err.splitlines()) == 2
    second = json.loads(figures.read_text())
    assert second["rows"][:2] == first["rows"]
    assert {"accuracy", "steps", "seconds", "parameters", "gradient"} <= set(second["rows"][3])
    assert chart.read_bytes().startswith(b"\x89PNG")
    told = json.loads(asset.read_text())
    assert (told["units"], told["steps"]) == (6, 4)
    assert {kind: len(values) for kind, values in told["gradient"].items()} == {"lstm": 8, "plain": 8}
    assert told["gradient"]["lstm"][0] == told["gradient"]["plain"][0] == 1.0


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "--json must name a file of this benchmark, or none. Received:"),
        ('{"recipe": {"units": 7}}', "--json must name a file of the same recipe, or none. Received:"),
    ],
)
def test_another_file_is_left_alone(memory: Any, tmp_path: Path, content: str, sentence: str) -> None:
    figures = tmp_path / "figures.json"
    figures.write_text(content)
    with pytest.raises(SystemExit, match=sentence):
        memory.main([*TINY, "--json", str(figures)])
    assert figures.read_text() == content
