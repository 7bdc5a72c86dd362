"""An explanation goes through JSON and comes back without loss; what it counts itself is right."""

from __future__ import annotations

import dataclasses
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from seq2seq import explanation
from seq2seq.explanation import Cells, Explanation, ExplanationError, Gradient, Influence, Last, Node, tree


def some(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(0, 1, shape).astype(np.float32)


@pytest.fixture
def example() -> Explanation:
    """L=2 D=6 S=3 T=4, all values different."""
    pieces = {"source": ("▁Der", "<0x0A>", "</s>"), "target": ("▁the", "▁", "dog", "</s>")}
    about = {"translation": 'the "dog"', "engine": "litert-int8", **pieces}
    return Explanation(
        text="Der »Hund«\u2028\n😀",
        score=-0.5,
        log_prob=-0.75,
        log_probs=some(4),
        entropy=np.array([0.1, 1e-30, 1 / 3, 7.5], np.float32),
        attention=some(4, 3),
        alternatives=tuple(tuple((f"▁{t}{k}", -0.1 * k) for k in range(5)) for t in range(4)),
        source_spans=((0, 3), (3, 14), (14, 14)),
        target_spans=((0, 3), (3, 5), (5, 9), (9, 9)),
        forced=True,
        attention_bias=np.array([0, -1e4, 2.302585], np.float32),
        flags=("skips",),
        warnings=("A translation may lack what 'Hund' means",),
        search={"beam": 5, "length_penalty": 0.6},
        beam=(Node(0, None, 0, "<s>", 0.0, 0.0, 0.0), Node(1, 0, 1, "▁the", -0.1, -0.1, -0.1, 0.0, 1, "pruned", 2)),
        cells=Cells(np.abs(some(2, 2, 6, 3, 3)), np.abs(some(2, 6, 4, 6))),
        gradient=Gradient(2, some(2, 2, 2, 3), some(2, 2, 4)),
        influence=Influence("occlusion", **about, values=some(4, 3), correlation=np.array([1, -0.5, np.nan, 0.1])),
        saliency=Influence("gradient", **about, values=some(4, 3, seed=2), correlation=np.full(4, np.nan)),
        **about,
    )


def parts(told: object) -> list[object]:
    """Every value of an explanation, those inside its parts too."""
    found: list[object] = []
    for each in vars(told).values():
        found += parts(each) if isinstance(each, Cells | Gradient | Influence) else [each]
    return found


def test_everything_comes_back(example: Explanation) -> None:
    back = Explanation.from_json(example.to_json())
    for before, after in zip(parts(example), parts(back), strict=True):
        if isinstance(before, np.ndarray):
            assert isinstance(after, np.ndarray)
            assert after.dtype == np.float32
            np.testing.assert_array_equal(before.astype(np.float32), after)
        else:
            assert before == after


def test_what_was_not_asked_for_comes_back_as_nothing(example: Explanation) -> None:
    nothing = dict.fromkeys(("attention_bias", "beam", "cells", "gradient", "influence", "saliency"))
    told = dataclasses.replace(example, **nothing)
    plain = json.loads(told.to_json())
    assert {name: plain[name] for name in nothing} == nothing
    assert Explanation.from_json(told.to_json()).to_json() == told.to_json()


def test_json_is_one_line_that_any_reader_understands(example: Explanation) -> None:
    text = example.to_json()
    assert "\n" not in text
    plain = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert plain["version"] == explanation.VERSION == 2
    assert plain["source"] == ["▁Der", "<0x0A>", "</s>"]
    assert plain["source_spans"][1] == [3, 14]
    assert np.shape(plain["attention"]) == (4, 3)
    assert plain["coverage"] == pytest.approx(example.attention.sum(axis=0).tolist())
    assert plain["entropy"][0] == 0.1  # not 0.10000000149011612
    assert plain["beam"][1]["parent"] == 0
    assert plain["cells"]["decoder"]["shape"] == [2, 6, 4, 6]
    assert np.shape(plain["cells"]["half_life"]["encoder"]) == (2, 2, 3)
    assert np.shape(plain["cells"]["saturated"]["decoder"]) == (2, 3, 2)
    assert plain["gradient"]["step"] == 2
    assert plain["influence"]["correlation"][2] is None
    assert plain["influence"]["mean_correlation"] == pytest.approx(0.2)
    assert plain["saliency"]["mean_correlation"] is None


def test_arrays_of_any_layout_can_be_written(example: Explanation) -> None:
    assert example.cells is not None
    turned = dataclasses.replace(example, cells=Cells(np.asfortranarray(example.cells.encoder), example.cells.decoder))
    assert turned.to_json() == example.to_json()


def test_the_axis_of_six_names_the_memory_cell() -> None:
    assert explanation.CELL.index("f") == 1
    assert explanation.CELL.index("c") == 4
    assert explanation.DIRECTIONS == ("forward", "backward")


def test_the_decoder_starts_from_both_ends_of_the_top_layer(example: Explanation) -> None:
    assert example.cells is not None
    top = example.cells.encoder[1]
    np.testing.assert_array_equal(example.cells.start[0], [*top[0, 4, 2], *top[1, 4, 0]])
    np.testing.assert_array_equal(example.cells.start[1], [*top[0, 5, 2], *top[1, 5, 0]])


def test_half_life_is_when_the_product_of_forget_gates_is_a_half() -> None:
    cells = np.zeros((6, 4, 3), np.float32)
    cells[1] = np.array([[0.5, 0.25, 1.0], [0.5, 1.0, 1.0], [0.5, 0.25, 1.0], [0.5, 1.0, 1.0]])
    assert explanation.half_life(cells) == pytest.approx([1.0, 1.0, 10_000.0])
    cells[1] = 0.9
    [steps, *_] = explanation.half_life(cells)
    assert 0.9**steps == pytest.approx(0.5)
    assert np.isfinite(explanation.half_life(np.zeros((6, 4, 3)))).all()


def test_saturated_gates_are_counted_shut_and_open() -> None:
    cells = np.full((6, 2, 2), 0.5, np.float32)
    cells[0] = [[0.05, 0.5], [0.95, 0.99]]
    cells[3] = 0.01
    cells[4] = 5.0  # a state is no gate
    assert explanation.saturated(cells).tolist() == [[0.25, 0.5], [0.0, 0.0], [1.0, 0.0]]


def test_ranks_are_correlated_not_values() -> None:
    one = np.array([[1.0, 2.0, 3.0, 100.0], [1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 1.0, 1.0], [5.0, 5.0, 5.0, 5.0]])
    other = np.array([[0.1, 0.2, 0.3, 0.31], [4.0, 3.0, 2.0, 1.0], [0.0, 0.0, 1.0, 2.0], [1.0, 2.0, 3.0, 4.0]])
    found = explanation.rank_correlation(one, other)
    assert found[:3] == pytest.approx([1.0, -1.0, 2 / math.sqrt(4.5)], abs=1e-6)
    assert math.isnan(found[3])


def test_the_tree_of_a_search() -> None:
    """K=2: "a" and "b" are kept; both continuations kept come from "a"; one ends, falls out, and the other ends."""
    a, b, c, d = 7, 8, 9, 10
    record = {
        "record_tokens": np.array([[a, b], [c, 3], [d, c], [3, 3], [0, 0]]),
        "record_parents": np.array([[0, 0], [0, 0], [0, 0], [0, 1], [0, 1]]),
        "record_log_probs": np.array([[-1.0, -2.0], [-1.5, -3.0], [-1.6, -2.5], [-1.7, -2.6], [-1.7, -2.6]]),
    }
    search = SimpleNamespace(length_penalty=1.0, word_reward=0.5)
    last = [Last((a, c, d, 3), -0.25), Last((a, c, c, 3))]
    nodes = tree(record, lambda ids: [f"p{each}" for each in ids], search, last)
    assert [(node.parent, node.step, node.piece, node.rank, node.state, node.hypothesis) for node in nodes] == [
        (None, 0, "<s>", 1, "alive", None),
        (0, 1, "p7", 1, "alive", None),
        (0, 1, "p8", 2, "pruned", None),
        (1, 2, "p9", 1, "alive", None),
        (1, 2, "p3", 2, "pruned", None),
        (3, 3, "p10", 1, "alive", None),
        (3, 3, "p9", 2, "alive", None),
        (5, 4, "p3", 1, "finished", 1),
        (6, 4, "p3", 2, "finished", 2),
    ]
    assert [node.log_prob for node in nodes[1:5]] == pytest.approx([-1.0, -2.0, -0.5, -2.0])
    assert nodes[3].normalised == pytest.approx(-1.5 / (7 / 6) + 2 * 0.5)
    assert nodes[7].normalised == pytest.approx(-1.7 / (9 / 6) + 4 * 0.5 - 0.25)
    assert nodes[7].coverage == -0.25


def test_places_that_no_hypothesis_took_are_no_nodes() -> None:
    record = {
        "record_tokens": np.array([[7, 8], [3, 9]]),
        "record_parents": np.array([[0, 1], [0, 1]]),
        "record_log_probs": np.array([[-1.0, -1e9], [-2.0, -1e9]]),
    }
    search = SimpleNamespace(length_penalty=0.0, word_reward=0.0)
    nodes = tree(record, lambda ids: list(map(str, ids)), search, [Last((7, 3))])
    assert [(node.piece, node.state) for node in nodes] == [("<s>", "alive"), ("7", "alive"), ("3", "finished")]


def test_a_piece_instead_of_another_makes_a_prefix(example: Explanation) -> None:
    assert example.instead(0, "▁a") == "a"
    assert example.instead(1, "▁cat") == "the cat"
    assert example.instead(2, "s") == 'the "s'
    for piece in ("</s>", "<0xF0>"):
        with pytest.raises(ExplanationError, match=rf"^A prefix must be text, and no special piece\. Rec.*: {piece}$"):
            example.instead(1, piece)
    with pytest.raises(ExplanationError, match=r"^A position must be from 0 to 3\. Received: 4$"):
        example.instead(4, "a")


@pytest.mark.parametrize("text", ["", "hello", "[1]", "{}", "null", "[" * 100_000])
def test_text_that_is_no_explanation(text: str) -> None:
    with pytest.raises(ExplanationError, match=r"^An explanation must be a JSON object with a version\. Received: "):
        Explanation.from_json(text)


def test_another_version(example: Explanation) -> None:
    text = example.to_json().replace('"version": 2', '"version": 1')
    with pytest.raises(ExplanationError, match=r"^An explanation must be of version 2\. Received: version 1$"):
        Explanation.from_json(text)


@pytest.mark.parametrize("name", ["attention", "cells", "alternatives", "engine", "beam"])
def test_a_missing_field(example: Explanation, name: str) -> None:
    plain = json.loads(example.to_json())
    del plain[name]
    with pytest.raises(ExplanationError, match=rf"^An explanation must have all its fields\. Received: .*{name}"):
        Explanation.from_json(json.dumps(plain))


def test_a_damaged_array(example: Explanation) -> None:
    plain = json.loads(example.to_json())
    plain["cells"]["encoder"]["float32"] = plain["cells"]["encoder"]["float32"][:-8]
    with pytest.raises(ExplanationError, match=r"^An explanation must have all its fields\. Received: "):
        Explanation.from_json(json.dumps(plain))
