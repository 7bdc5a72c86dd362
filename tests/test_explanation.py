"""An explanation goes through JSON and comes back without loss."""

from __future__ import annotations

import json

import numpy as np
import pytest

from seq2seq import explanation
from seq2seq.explanation import Explanation, ExplanationError


@pytest.fixture
def example() -> Explanation:
    """L=2 D=6 S=3 T=4, all values different."""
    draw = np.random.default_rng(1)

    def some(*shape: int) -> np.ndarray:
        return draw.normal(0, 1, shape).astype(np.float32)

    return Explanation(
        text="Der »Hund«\u2028\n😀",
        translation='the "dog"',
        score=-0.5,
        engine="litert-int8",
        source=("▁Der", "<0x0A>", "</s>"),
        target=("▁the", "▁", "dog", "</s>"),
        log_probs=some(4),
        entropy=np.array([0.1, 1e-30, 1 / 3, 7.5], np.float32),
        attention=some(4, 3),
        alternatives=tuple(tuple((f"▁{t}{k}", -0.1 * k) for k in range(5)) for t in range(4)),
        encoder=some(2, 2, 6, 3, 3),
        decoder=some(2, 6, 4, 6),
    )


def test_every_number_comes_back(example: Explanation) -> None:
    back = Explanation.from_json(example.to_json())
    for name in ("log_probs", "entropy", "attention", "encoder", "decoder"):
        before, after = getattr(example, name), getattr(back, name)
        assert after.dtype == np.float32
        assert np.array_equal(before, after), name
    for name in ("text", "translation", "score", "engine", "source", "target", "alternatives"):
        assert getattr(back, name) == getattr(example, name)


def test_json_is_one_line_that_any_reader_understands(example: Explanation) -> None:
    text = example.to_json()
    assert "\n" not in text
    plain = json.loads(text)
    assert plain["version"] == explanation.VERSION
    assert plain["source"] == ["▁Der", "<0x0A>", "</s>"]
    assert np.shape(plain["attention"]) == (4, 3)
    assert plain["entropy"][0] == 0.1  # not 0.10000000149011612
    assert plain["decoder"]["shape"] == [2, 6, 4, 6]


def test_arrays_of_any_layout_can_be_written(example: Explanation) -> None:
    turned = np.asfortranarray(example.encoder)
    content = {**vars(example), "encoder": turned}
    assert np.array_equal(Explanation.from_json(Explanation(**content).to_json()).encoder, example.encoder)


def test_the_axis_of_six_names_the_memory_cell() -> None:
    assert explanation.CELL.index("f") == 1
    assert explanation.CELL.index("c") == 4
    assert explanation.DIRECTIONS == ("forward", "backward")


@pytest.mark.parametrize("text", ["", "hello", "[1]", "{}", "null", "[" * 100_000])
def test_text_that_is_no_explanation(text: str) -> None:
    with pytest.raises(ExplanationError, match=r"^An explanation must be a JSON object with a version\. Received: "):
        Explanation.from_json(text)


def test_another_version(example: Explanation) -> None:
    text = example.to_json().replace('"version": 1', '"version": 2')
    with pytest.raises(ExplanationError, match=r"^An explanation must be of version 1\. Received: version 2$"):
        Explanation.from_json(text)


@pytest.mark.parametrize("name", ["attention", "encoder", "alternatives", "engine"])
def test_a_missing_field(example: Explanation, name: str) -> None:
    plain = json.loads(example.to_json())
    del plain[name]
    with pytest.raises(ExplanationError, match=rf"^An explanation must have all its fields\. Received: .*{name}"):
        Explanation.from_json(json.dumps(plain))


def test_a_damaged_array(example: Explanation) -> None:
    plain = json.loads(example.to_json())
    plain["encoder"]["float32"] = plain["encoder"]["float32"][:-8]
    with pytest.raises(ExplanationError, match=r"^An explanation must have all its fields\. Received: "):
        Explanation.from_json(json.dumps(plain))
