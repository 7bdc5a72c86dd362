"""Ids in, hypotheses out: the same whatever the batch, the thread and, but for rounding, the engine."""

from __future__ import annotations

import builtins
import functools
import itertools
import random
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import scripted

from seq2seq import bundle, config, engine
from seq2seq.config import SearchConfig
from seq2seq.engine import Demands, EngineError, LiteRTEngine, batching
from seq2seq.tokenizer import Tokenizer

GREEDY = SearchConfig(beam=1)
WIDE = SearchConfig(beam=4, n_best=3)


@pytest.fixture(scope="module")
def backwards() -> LiteRTEngine:
    """The scripted model: it spells its source backwards."""
    return LiteRTEngine(scripted.graph())


@pytest.fixture(scope="module")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> bundle.Bundle:
    """A tiny network with random weights, as a folder for both engines."""
    tf = pytest.importorskip("tensorflow")
    numpy = pytest.importorskip("safetensors.numpy")
    from seq2seq import inference
    from seq2seq.model import Seq2Seq

    chosen = config.build({"model": {"embedding": 7, "units": 6, "decoder_layers": 2}})
    tf.keras.utils.set_random_seed(3)
    model = Seq2Seq(chosen.model, 290)
    noise = np.random.default_rng(3)
    arrays = {weight.path: noise.normal(0, 0.7, weight.shape).astype(np.float32) for weight in model.weights}
    arrays["decoder/bias"][engine.EOS] += 4  # some translations end before the limit
    graph = inference.Inference(inference.build(chosen, arrays))
    files = {"model.tflite": scripted.convert(graph), "weights.safetensors": numpy.save(arrays)}
    path = tmp_path_factory.mktemp("random") / "model"
    return bundle.write(path, config=chosen, files=files, provenance={}, scores=[])


def sources(number: int, longest: int, seed: int = 1) -> list[list[int]]:
    draw = np.random.default_rng(seed)
    return [draw.integers(4, 289, draw.integers(1, longest)).tolist() for _ in range(number)]


PRETRAINED = Path(engine.__file__).parents[1] / "pretrained" / "en-de"


@pytest.mark.skipif(not PRETRAINED.exists(), reason="no model ships")
def test_the_first_run_of_a_larger_size_says_what_the_second_says(root: Path) -> None:
    """Without the step that is taken beforehand one size in eight is noise here."""
    model = bundle.load(PRETRAINED)
    tokenizer = Tokenizer(model.read(model.tokenizers[0]))
    texts = [tokenizer.encode(line) for line in (root / "data" / "sample.en").read_text().splitlines()[:200]]
    draw = random.Random(5)
    engines = []  # all kept: what is freed in between hides it
    for _ in range(10):
        engines.append(engine.load(model, threads=1))
        for _ in range(5):
            rows, search = draw.sample(texts, draw.choice([1, 1, 3, 20])), SearchConfig(beam=draw.choice([1, 5, 5, 8]))
            first = engines[-1].translate(rows, search)
            assert first == engines[-1].translate(rows, search)


class TestScripted:
    def test_every_source_gets_its_own_translation_in_order(self, backwards: LiteRTEngine) -> None:
        texts = sources(150, 40)
        found = backwards.translate(texts, GREEDY)
        assert [each[0].ids for each in found] == [tuple(reversed(text)) for text in texts]
        assert all(len(each) == 1 and each[0].finished for each in found)

    def test_what_must_be_said_may_hold_what_is_forbidden(self, backwards: LiteRTEngine) -> None:
        wanted = Demands(required=((30, 31), (33,)), forbidden=((30,), (31, 30), (32,)))
        (found,) = backwards.translate([[20, 21]], SearchConfig(beam=8), [wanted])
        assert found[0].finished and {30, 31, 33} <= set(found[0].ids) and 32 not in found[0].ids

    def test_a_least_length_beyond_the_usual_limit_has_room(self, backwards: LiteRTEngine) -> None:
        for search in (SearchConfig(min_length=30), SearchConfig(min_ratio=4.0)):
            (found,) = backwards.translate([[20] * (1 if search.min_length else 12)], search)
            assert found[0].finished

    def test_n_best_are_different_and_sorted(self, backwards: LiteRTEngine) -> None:
        [found] = backwards.translate([[20, 30, 40]], WIDE)
        assert len({each.ids for each in found}) == 3
        assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
        assert found[0].ids == (40, 30, 20)

    def test_the_score_is_the_log_probability_over_the_length_penalty(self, backwards: LiteRTEngine) -> None:
        step = -np.log(np.exp(0) + np.exp(-2) + (len(scripted.tokens()) - 2) * np.exp(-9))
        [[plain]] = backwards.translate([[20, 30, 40]], SearchConfig(length_penalty=0.0))
        [[ranked]] = backwards.translate([[20, 30, 40]], SearchConfig(length_penalty=1.0))
        assert plain.log_prob == pytest.approx(4 * step, rel=1e-5)
        assert plain.score == plain.log_prob == ranked.log_prob
        assert ranked.score == pytest.approx(4 * step / 1.5, rel=1e-5)

    def test_a_limit_cuts_and_says_so(self, backwards: LiteRTEngine) -> None:
        [[cut]] = backwards.translate([[20, 30, 40]], SearchConfig(beam=1, max_length=2))
        assert cut.ids == (40, 30)
        assert not cut.finished

    def test_the_limit_without_one_comes_from_each_source_alone(self) -> None:
        inputs = batching.basic_inputs([[5], [5] * 20], SearchConfig())
        assert inputs["max_length"].tolist() == [2 * 2 + 10, 2 * 21 + 10]
        assert batching.basic_inputs([[5]], SearchConfig(max_length=7))["max_length"].tolist() == [7]

    def test_a_shortest_length_is_kept(self, backwards: LiteRTEngine) -> None:
        [[found]] = backwards.translate([[20]], SearchConfig(min_length=4))
        assert len(found.ids) >= 4

    def test_nothing_gives_nothing(self, backwards: LiteRTEngine) -> None:
        assert backwards.translate([], GREEDY) == []
        assert backwards.translate([[]], GREEDY)[0][0].ids == ()

    def test_the_longest_source(self, backwards: LiteRTEngine) -> None:
        longest = [5 + number % 280 for number in range(engine.MAX_SOURCE)]
        assert backwards.translate([longest], GREEDY)[0][0].ids == tuple(reversed(longest))

    def test_explanation_has_the_axes_of_one_sentence(self, backwards: LiteRTEngine) -> None:
        shown = backwards.explain([20, 30], [30, 20])
        assert shown["attention"].tolist() == [[0, 1, 0], [1, 0, 0], [1, 0, 0]]
        assert shown["log_probs"].tolist() == [-30, -20, -3]
        assert shown["alternatives"][0].tolist() == [30, 31, 32, 33, 34]
        assert shown["encoder"].shape == (1, 2, 6, 3, 1)
        assert shown["encoder"][0, 1, 4, :, 0] == pytest.approx([14.02, 14.03, 14.003])
        assert shown["decoder"].shape == (2, 6, 3, 2)
        assert shown["decoder"][1, 2, :, 0] == pytest.approx([12.03, 12.02, 12.003])

    def test_it_names_itself(self, backwards: LiteRTEngine) -> None:
        assert backwards.name == "litert-float32"


class TestDemands:
    """The scripted model gives the next piece of its source, from the end, a logit of 9, that piece + 1 one of 7."""

    def test_a_prefix_is_said_first(self, backwards: LiteRTEngine) -> None:
        found = backwards.translate([[20, 30, 40], [20, 30]], GREEDY, [Demands(prefix=(50, 51)), Demands()])
        assert [each[0].ids for each in found] == [(50, 51, 20), (30, 20)]

    def test_what_is_forbidden_is_not_said(self, backwards: LiteRTEngine) -> None:
        forbidden = [Demands(forbidden=((30,), (40, 99))), Demands(forbidden=((41, 30), (40, 30)))]
        found = backwards.translate([[20, 30, 40]] * 2, GREEDY, forbidden)
        assert [each[0].ids for each in found] == [(40, 31, 20), (40, 31, 20)]

    def test_what_is_required_is_said_and_the_rest_stays(self, backwards: LiteRTEngine) -> None:
        wanted = [Demands(required=((31,), (50, 51))), Demands(), Demands(required=((21,),))]
        found = backwards.translate([[20, 30, 40, 60, 70, 80]] * 3, SearchConfig(beam=8), wanted)
        first, second, third = (each[0].ids for each in found)
        assert 31 in first and (50, 51) in itertools.pairwise(first)
        assert second == (80, 70, 60, 40, 30, 20)
        assert third == (80, 70, 60, 40, 30, 21)

    def test_no_repeat_blocks_what_was_said(self, backwards: LiteRTEngine) -> None:
        [[found]] = backwards.translate([[20, 30, 20, 30, 20, 30]], SearchConfig(beam=1, no_repeat=2))
        assert found.ids[:3] == (30, 20, 30)
        pairs = list(itertools.pairwise(found.ids))
        assert len(set(pairs)) == len(pairs)

    def test_a_ratio_sets_the_shortest_and_the_longest(self, backwards: LiteRTEngine) -> None:
        [[longer]] = backwards.translate([[20, 30, 40]], SearchConfig(beam=1, min_ratio=1.5))
        assert len(longer.ids) == 6
        limits = batching.basic_inputs([[5], [5] * 20], SearchConfig(max_ratio=1.0))["max_length"]
        assert limits.tolist() == [2 + 10, 21 + 10]

    def test_a_given_translation_scores_as_the_search_scored_it(self, backwards: LiteRTEngine) -> None:
        texts = sources(30, 20)
        found = [each for [each] in backwards.translate(texts, SearchConfig())]
        scored = backwards.score(texts, [each.ids for each in found])
        assert [len(each) for each in scored] == [len(each.ids) + 1 for each in found]
        assert [sum(each) for each in scored] == pytest.approx([each.log_prob for each in found], abs=1e-4)

    def test_what_is_drawn_depends_on_seed_and_source_alone(self, backwards: LiteRTEngine) -> None:
        texts = sources(40, 20)
        warm = SearchConfig(temperature=3.0, n_best=3, seed=7)
        together = backwards.translate(texts, warm)
        assert [backwards.translate([text], warm)[0] for text in texts[:5]] == together[:5]
        assert backwards.translate(texts[::-1], warm)[::-1] == together
        assert backwards.translate(texts, SearchConfig(temperature=3.0, n_best=3, seed=8)) != together
        assert all(len(each) == 3 for each in together)

    def test_a_narrow_draw_is_greedy(self, backwards: LiteRTEngine) -> None:
        texts = sources(20, 20)
        for narrow in (SearchConfig(temperature=1.0, top_k=1), SearchConfig(temperature=1.0, top_p=0.01)):
            drawn = [each[0].ids for each in backwards.translate(texts, narrow)]
            assert drawn == [each[0].ids for each in backwards.translate(texts, GREEDY)]

    def test_diverse_beams_differ_sooner(self, backwards: LiteRTEngine) -> None:
        [plain] = backwards.translate([[20, 30, 40, 50]], SearchConfig(beam=3, n_best=3))
        [spread] = backwards.translate([[20, 30, 40, 50]], SearchConfig(beam=3, n_best=3, diversity=5.0))
        assert spread[0].ids == plain[0].ids
        assert {each.ids for each in spread} != {each.ids for each in plain}

    def test_sampling_with_required_phrases_is_refused(self, backwards: LiteRTEngine) -> None:
        with pytest.raises(EngineError, match=r"^Required phrases need beam search\. Received: 1 with a temperature"):
            backwards.translate([[20]], SearchConfig(temperature=1.0), [Demands(required=((5,),))])


class TestThreads:
    def test_many_threads_get_what_one_gets(self, backwards: LiteRTEngine) -> None:
        jobs = [sources(20, 30, seed) for seed in range(12)]
        serial = [backwards.translate(job, WIDE) for job in jobs]
        with ThreadPoolExecutor(6) as threads:
            assert list(threads.map(lambda job: backwards.translate(job, WIDE), jobs)) == serial

    def test_an_interpreter_serves_one_thread_at_a_time(
        self, backwards: LiteRTEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        busy: set[int] = set()
        lock, seen = threading.Lock(), []

        class Watched:
            def __init__(self, interpreter: object) -> None:
                self.interpreter = interpreter

            def get_signature_runner(self, name: str) -> Callable[..., object]:
                run = self.interpreter.get_signature_runner(name)  # type: ignore[attr-defined]

                def watched(**inputs: np.ndarray) -> object:
                    with lock:
                        seen.append(id(self) in busy)
                        busy.add(id(self))
                    try:
                        return run(**inputs)
                    finally:
                        with lock:
                            busy.discard(id(self))

                return watched

        make = backwards._interpreter

        def watching(threads: int) -> object:
            sized = make(threads)
            sized.interpreter = Watched(sized.interpreter)
            return sized

        monkeypatch.setattr(backwards, "_interpreter", watching)
        monkeypatch.setattr(backwards, "_idle", {threads: [] for threads in backwards._idle})
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda seed: backwards.translate(sources(9, 30, seed), GREEDY), range(16)))
        assert len(seen) >= 16
        assert not any(seen)


@pytest.mark.parametrize(("limit", "most"), [(0, [14 + 50 + 3, 16 + 2]), (7, [7, 7])])
def test_what_is_demanded_has_room(limit: int, most: list[int]) -> None:
    jobs: list[tuple[str, dict]] = []

    def run(asked) -> list:
        jobs.extend(asked)
        raise KeyboardInterrupt

    wanted = [Demands(prefix=(5,) * 50, required=((6, 7, 8),)), Demands(required=((6,), (7,)))]
    with pytest.raises(KeyboardInterrupt):
        batching.translate(run, [[5], [5, 6]], SearchConfig(max_length=limit), wanted)
    assert sorted(int(each) for _, inputs in jobs for each in inputs["max_length"]) == sorted(most)
    jobs.clear()
    with pytest.raises(KeyboardInterrupt):  # but not any room
        batching.translate(run, [[5]], SearchConfig(max_length=limit), [Demands(required=((6,) * 300,) * 100)])
    assert jobs[0][1]["max_length"].tolist() == [limit or 14 + batching.MAX_SOURCE]


@pytest.mark.slow
class TestRandomNetwork:
    def test_results_do_not_depend_on_the_batch(self, random_model: bundle.Bundle) -> None:
        litert = engine.load(random_model)
        texts = sources(70, 25)
        together = litert.translate(texts, WIDE)
        alone = [litert.translate([text], WIDE)[0] for text in texts[:12]]
        assert together[:12] == alone
        assert litert.translate(texts[::-1], WIDE)[::-1] == together

    def test_both_engines_find_the_same(self, random_model: bundle.Bundle) -> None:
        texts = sources(40, 25)
        litert, tensorflow = engine.load(random_model), engine.load(random_model, "tensorflow")
        assert (litert.name, tensorflow.name) == ("litert-float32", "tensorflow-float32")
        for ours, theirs in zip(litert.translate(texts, WIDE), tensorflow.translate(texts, WIDE), strict=True):
            assert [each.ids for each in ours] == [each.ids for each in theirs]
            assert [each.score for each in ours] == pytest.approx([each.score for each in theirs], rel=1e-4)

    @pytest.mark.parametrize("name", ["litert", "tensorflow"])
    def test_who_asks_is_told_how_large_each_batch_is(self, random_model: bundle.Bundle, name: str) -> None:
        runner, sizes = engine.load(random_model, name), list[int]()
        runner.told = sizes.append
        runner.translate(sources(50, 20), GREEDY)
        assert sum(sizes) == 50 and max(sizes) > 1
        runner.translate(sources(1, 20), GREEDY)
        assert sizes[-1] == 1

    def test_the_explanation_adds_up_to_the_hypothesis(self, random_model: bundle.Bundle) -> None:
        for chosen in (engine.load(random_model), engine.load(random_model, "tensorflow")):
            found = [each for [each] in chosen.translate(sources(30, 12), GREEDY)]
            finished = [(text, each) for text, each in zip(sources(30, 12), found, strict=True) if each.finished]
            assert finished
            for text, hypothesis in finished[:3]:
                shown = chosen.explain(text, hypothesis.ids)
                assert shown["log_probs"].sum() == pytest.approx(hypothesis.log_prob, rel=1e-4)
                assert shown["attention"].shape == (len(hypothesis.ids) + 1, len(text) + 1)
                assert shown["attention"].sum(axis=1) == pytest.approx(1.0, rel=1e-5)
                assert shown["encoder"].shape == (1, 2, 6, len(text) + 1, 3)
                assert shown["decoder"].shape == (2, 6, len(hypothesis.ids) + 1, 6)
                assert shown["alternatives"].shape == (len(hypothesis.ids) + 1, 5)


class TestBatches:
    def test_each_row_once_in_batches_of_similar_length(self) -> None:
        lengths = [len(source) for source in sources(500, 60)]
        batches = list(batching._batches(lengths, beam=5))
        assert sorted(row for batch in batches for row in batch) == list(range(500))
        for batch in batches:
            longest = max(lengths[row] for row in batch)
            assert len(batch) <= 64
            assert len(batch) * longest <= 1280
        longest = [max(lengths[row] for row in batch) for batch in batches]
        assert longest == sorted(longest, reverse=True)

    def test_every_worker_gets_a_batch_if_there_are_rows_enough(self) -> None:
        assert [len(batch) for batch in batching._batches([5] * 40, beam=5, workers=2)] == [20, 20]
        assert [len(batch) for batch in batching._batches([5] * 9, beam=5, workers=4)] == [8, 1]
        assert [len(batch) for batch in batching._batches([5] * 200, beam=5, workers=2)] == [64, 64, 64, 8]

    def test_a_wider_beam_takes_fewer_rows_and_at_least_one(self) -> None:
        assert max(map(len, batching._batches([5] * 500, beam=50))) == 6
        assert list(batching._batches([300, 300], beam=64)) == [[0], [1]]
        assert list(batching._batches([], beam=5)) == []

    @pytest.mark.parametrize(("beam", "rows"), [(1, 20), (2, 20), (5, 8), (64, 1)])
    def test_a_batch_fits_its_room(self, beam: int, rows: int) -> None:
        room = batching.Room(rows=20, hypotheses=40)
        assert max(map(len, batching._batches([5] * 500, beam, room=room))) == rows


class TestMessages:
    def refused(self, action: Callable[[], object], pattern: str) -> None:
        with pytest.raises(EngineError) as caught:
            action()
        assert re.search(pattern, str(caught.value)), caught.value
        assert "Received: " in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_a_source_that_is_too_long(self, backwards: LiteRTEngine) -> None:
        long = [5] * (engine.MAX_SOURCE + 1)
        pattern = r"^A source must have at most 256 pieces\. Received: 257$"
        self.refused(lambda: backwards.translate([[5], long], GREEDY), pattern)
        self.refused(lambda: backwards.explain(long, [5]), pattern)

    def test_a_translation_that_is_too_long_to_be_scored(self, backwards: LiteRTEngine) -> None:
        long = [5] * (engine.MAX_SOURCE + 1)
        pattern = r"^A translation that is given must have at most 256 pieces\. Received: 257$"
        self.refused(lambda: backwards.score([[5]], [long]), pattern)
        self.refused(lambda: backwards.occlusion([5], long), pattern)

    def test_an_engine_that_is_none(self, tmp_path: Path) -> None:
        model = bundle.load(scripted.write(tmp_path / "model"))
        pattern = r"^An engine must be litert or tensorflow\. Received: 'torch'$"
        self.refused(lambda: engine.load(model, "torch"), pattern)

    def test_a_graph_that_is_none(self) -> None:
        for model in (b"", b"hello", scripted.graph()[:1000]):
            self.refused(functools.partial(LiteRTEngine, model), r"^LiteRT must be able to load the graph\. Received: ")

    @pytest.mark.slow
    def test_a_graph_of_something_else(self) -> None:
        tf = pytest.importorskip("tensorflow")
        double = tf.function(lambda x: 2 * x, input_signature=[tf.TensorSpec((None,), tf.float32)])
        graph = tf.lite.TFLiteConverter.from_concrete_functions([double.get_concrete_function()]).convert()
        pattern = r"^A graph must have the signatures translate, constrained, explain\. Received: no translate$"
        self.refused(lambda: LiteRTEngine(graph), pattern)

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["litert", "tensorflow"])
    def test_a_failure_inside_the_graph_leaves_a_usable_engine(self, random_model: bundle.Bundle, name: str) -> None:
        chosen = engine.load(random_model, name)
        before = chosen.translate([[5]], GREEDY)
        pattern = r"must be able to run the graph\. Received: "
        self.refused(lambda: chosen.translate([[100_000]], GREEDY), pattern)
        assert chosen.translate([[5]], GREEDY) == before

    def test_scores_that_are_no_numbers(self) -> None:
        outputs = dict.fromkeys(("lengths", "log_probs", "finished"), np.ones((1, 1)))
        outputs |= {"tokens": np.ones((1, 1, 1)), "scores": np.full((1, 1), np.nan), "coverage": np.ones((1, 1, 1))}
        self.refused(
            lambda: batching._hypotheses(outputs, np.ones((1, 1)), 1),
            r"^A model must give finite scores\. Received: \[nan\]$",
        )

    @pytest.mark.parametrize(
        ("package", "name", "pattern"),
        [
            ("tensorflow", "tensorflow", r"^The tensorflow engine needs TensorFlow: pip install 'seq2seq\[train\]'\. "),
            ("ai_edge_litert.interpreter", "litert", r"^The litert engine needs ai-edge-litert\. "),
        ],
    )
    def test_a_missing_package(
        self, tmp_path: Path, package: str, name: str, pattern: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = bundle.load(scripted.write(tmp_path / "model"))
        real = builtins.__import__

        def missing(module: str, *arguments: object) -> object:
            if module == package:
                raise ModuleNotFoundError(f"No module named {module!r}", name=module)
            return real(module, *arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(builtins, "__import__", missing)
        self.refused(lambda: engine.load(model, name), pattern)

    def test_places_that_no_hypothesis_took_are_left_out(self) -> None:
        outputs = {
            "tokens": np.array([[[7, 3], [0, 0]]]),
            "lengths": np.array([[2, 0]]),
            "scores": np.array([[-1.0, -1e9]]),
            "log_probs": np.array([[-1.0, -1e9]]),
            "finished": np.array([[1, 0]]),
            "coverage": np.array([[[0.5, 1.5, 1.0], [0, 0, 1]]]),
        }
        found = batching._hypotheses(outputs, np.array([[8, 3, 0]]), 2)
        assert found == [[engine.Hypothesis((7,), -1.0, -1.0, True, (0.5, 1.5))]]


def test_a_process_stays_silent_and_without_tensorflow(tmp_path: Path) -> None:
    path = scripted.write(tmp_path / "model")
    code = (
        "import sys; from seq2seq import bundle, config, engine\n"
        "chosen = engine.load(bundle.load(sys.argv[1]))\n"
        "print(chosen.translate([[20, 30]], config.SearchConfig())[0][0].ids, 'tensorflow' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("(30, 20) False\n", "")
