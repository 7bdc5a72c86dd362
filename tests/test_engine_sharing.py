"""Callers that share batches: who waits, who is translated with whom, and that nobody gets what is another's."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import scripted

from seq2seq import bundle, engine
from seq2seq.config import SearchConfig
from seq2seq.engine import Aim, Demands, EngineError, Hypothesis, LiteRTEngine, Sharing

GREEDY = SearchConfig(beam=1)
PAIR = SearchConfig(beam=2)
BAD, INTERRUPTING = 98, 99
PATIENCE = 20  # seconds after which a test that hangs fails


class Blocking:
    """An engine that turns sources round, keeps what it was asked, and holds each call until its gate is open."""

    name = "standin"

    def __init__(self) -> None:
        self.asked: list[list[tuple[int, ...]]] = []
        self.demands: list[list[Demands]] = []
        self.gate = threading.Event()

    def translate(
        self, sources: Sequence[Sequence[int]], search: SearchConfig, demands: Sequence[Demands] = ()
    ) -> list[list[Hypothesis]]:
        self.asked.append([tuple(source) for source in sources])
        self.demands.append(list(demands))
        if not self.gate.wait(PATIENCE):
            raise TimeoutError
        pieces = [piece for source in sources for piece in source]
        if INTERRUPTING in pieces:
            raise KeyboardInterrupt
        if BAD in pieces:
            raise EngineError(f"Sources must be good. Received: {len(sources)}")
        return [[turned(source, search)] for source in sources]

    def score(self, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> list[tuple[float, ...]]:
        return [(float(len(source)), float(len(target))) for source, target in zip(sources, targets, strict=True)]

    def explain(self, source: Sequence[int], target: Sequence[int], aim: Aim) -> dict[str, np.ndarray]:
        return {"attention": np.array([source, target]), "k": np.array(aim.alternatives)}

    def gradient(self, source: Sequence[int], target: Sequence[int], aim: Aim) -> dict[str, np.ndarray]:
        return {"decoder": np.array([source, target, [aim.step]])}

    def replay(self, source: Sequence[int], search: SearchConfig, demands: Demands) -> dict[str, np.ndarray]:
        return {"tokens": np.array([*source, search.beam, *demands.prefix])}

    def occlusion(self, source: Sequence[int], target: Sequence[int], aim: Aim) -> np.ndarray:
        return np.array([source, target])


def turned(source: Sequence[int], search: SearchConfig) -> Hypothesis:
    return Hypothesis(tuple(reversed(source)), -float(search.beam), -1.0, True)


class Callers:
    """Threads that translate; each call is in the queue, or has reached the engine, before the next is made."""

    def __init__(self, *, places: int = 1, most: int = 8) -> None:
        self.engine = Blocking()
        self.shared = Sharing(self.engine, places=places, most=most)
        self.threads = ThreadPoolExecutor(16)
        self.made = 0

    def call(
        self, *sources: Sequence[int], search: SearchConfig = GREEDY, demands: Sequence[Demands] = ()
    ) -> Future[list[list[Hypothesis]]]:
        future = self.threads.submit(self.shared.translate, sources, search, demands)
        self.made += 1
        until(lambda: len(self.shared._waiting) + len(self.engine.asked) >= self.made)
        return future

    def close(self) -> None:
        self.engine.gate.set()
        self.threads.shutdown()
        assert (self.shared._waiting, self.shared._running) == ([], 0)


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.fixture
def callers() -> Iterator[Callers]:
    made = Callers()
    yield made
    made.close()


def test_a_lone_call_goes_as_it_is_and_starts_no_thread() -> None:
    inner = Blocking()
    inner.gate.set()
    shared, threads = Sharing(inner, places=1, most=8), threading.active_count()
    assert shared.translate([[1, 2], [3]], GREEDY) == [[turned([1, 2], GREEDY)], [turned([3], GREEDY)]]
    assert shared.translate([], GREEDY) == []
    assert inner.asked == [[(1, 2), (3,)], []]
    assert threading.active_count() == threads


def test_the_rest_of_an_engine_is_as_it_was() -> None:
    shared = Sharing(Blocking(), places=1, most=8)
    assert shared.name == "standin"
    assert shared.score([[1, 2]], [[3]]) == [(2.0, 1.0)]
    assert shared.explain([1], [2])["attention"].tolist() == [[1], [2]]
    assert shared.explain([1], [2], Aim(alternatives=7))["k"] == 7
    assert shared.gradient([1], [2], Aim(step=3))["decoder"].tolist() == [[1], [2], [3]]
    assert shared.replay([1], GREEDY, Demands(prefix=(9,)))["tokens"].tolist() == [1, 1, 9]
    assert shared.occlusion([1], [2]).tolist() == [[1], [2]]


def test_calls_that_wait_are_translated_together_and_each_gets_its_own(callers: Callers) -> None:
    first = callers.call([1, 2])
    others = [callers.call([3, 4]), callers.call([5, 6], [7, 8, 9])]
    callers.engine.gate.set()
    assert first.result() == [[turned([1, 2], GREEDY)]]
    assert others[0].result() == [[turned([3, 4], GREEDY)]]
    assert others[1].result() == [[turned([5, 6], GREEDY)], [turned([7, 8, 9], GREEDY)]]
    assert callers.engine.asked == [[(1, 2)], [(3, 4), (5, 6), (7, 8, 9)]]


def test_whoever_waits_longest_is_next_and_only_the_same_search_joins(callers: Callers) -> None:
    searches = [GREEDY, PAIR, GREEDY, SearchConfig(beam=2), SearchConfig(beam=2, n_best=2), GREEDY]
    futures = [callers.call([number], search=search) for number, search in enumerate(searches)]
    callers.engine.gate.set()
    assert [future.result() for future in futures] == [[[turned([n], each)]] for n, each in enumerate(searches)]
    assert callers.engine.asked == [[(0,)], [(1,), (3,)], [(2,), (5,)], [(4,)]]


def test_a_batch_holds_so_many_hypotheses_and_what_fills_one_alone_does_not_wait(callers: Callers) -> None:
    callers.call([0])
    for number in range(1, 6):
        callers.call([number], search=PAIR)
    large = callers.call(*[[number] for number in range(10, 18)])
    wide = callers.call([20], search=SearchConfig(beam=5))
    until(lambda: len(callers.engine.asked) == 3)
    assert len(callers.shared._waiting) == 5
    callers.engine.gate.set()
    assert [len(future.result()) for future in (large, wide)] == [8, 1]
    callers.threads.shutdown()
    assert [len(batch) for batch in callers.engine.asked] == [1, 8, 1, 4, 1]


def test_as_many_batches_at_once_as_there_are_places() -> None:
    callers = Callers(places=2)
    for number in range(4):
        callers.call([number])
    assert callers.engine.asked == [[(0,)], [(1,)]]
    callers.close()
    assert sorted(callers.engine.asked[2:]) in ([[(2,), (3,)]], [[(2,)], [(3,)]])


def test_an_error_reaches_only_whom_it_concerns(callers: Callers) -> None:
    callers.call([0])
    good, bad, other = callers.call([1]), callers.call([2], [BAD]), callers.call([3])
    callers.engine.gate.set()
    assert good.result() == [[turned([1], GREEDY)]]
    assert other.result() == [[turned([3], GREEDY)]]
    with pytest.raises(EngineError, match=r"^Sources must be good\. Received: 2$") as caught:
        bad.result()
    assert caught.value.__context__ is None, "of the others' sources it says nothing"


def test_demands_stay_with_their_sentences(callers: Callers) -> None:
    callers.call([0])
    callers.call([1])
    callers.call([2], [3], demands=[Demands(prefix=(7,)), Demands()])
    callers.call([4], demands=[Demands(forbidden=((8,),))])
    callers.close()
    expected = [Demands(), Demands(prefix=(7,)), Demands(), Demands(forbidden=((8,),))]
    assert callers.engine.demands[1] == expected


def test_demands_that_are_not_as_many_as_sources_are_left_to_the_engine(callers: Callers) -> None:
    callers.call([0])
    callers.call([1], [2], demands=[Demands()])
    assert callers.engine.asked == [[(0,)], [(1,), (2,)]]


def test_whoever_is_interrupted_while_translating_leaves_the_others_answered(callers: Callers) -> None:
    callers.call([0])
    interrupted, others = callers.call([INTERRUPTING]), [callers.call([number]) for number in (1, 2)]
    callers.engine.gate.set()
    assert [future.result(PATIENCE) for future in others] == [[[turned([number], GREEDY)]] for number in (1, 2)]
    with pytest.raises(KeyboardInterrupt):
        interrupted.result(PATIENCE)
    assert callers.engine.asked == [[(0,)], [(INTERRUPTING,), (1,), (2,)], [(1,), (2,)]]


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signal for a thread")
def test_whoever_is_interrupted_while_waiting_is_forgotten(callers: Callers) -> None:
    callers.call([0])
    main, before = threading.get_ident(), signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt() -> None:
        until(lambda: bool(callers.shared._waiting))
        signal.pthread_kill(main, signal.SIGINT)

    try:
        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            callers.shared.translate([[1]], GREEDY)
    finally:
        signal.signal(signal.SIGINT, before)
    other = callers.call([2])
    callers.engine.gate.set()
    assert other.result(PATIENCE) == [[turned([2], GREEDY)]]
    assert callers.engine.asked == [[(0,)], [(2,)]]


class TestLiteRT:
    def test_sixteen_threads_get_what_one_gets(self) -> None:
        alone = LiteRTEngine(scripted.graph())
        shared = Sharing(LiteRTEngine(scripted.graph()), places=2, most=12)
        draw = np.random.default_rng(1)
        searches = [GREEDY, PAIR, SearchConfig(beam=4, n_best=3), SearchConfig(temperature=2.0, n_best=2)]
        demands = [Demands(), Demands(prefix=(50, 51)), Demands(forbidden=((30,), (31, 32)))]
        calls = []
        for number in range(300):
            rows = [draw.integers(4, 289, draw.integers(1, 30)).tolist() for _ in range(draw.integers(1, 4))]
            wanted = [demands[draw.integers(3)] for _ in rows] if number % 3 == 0 else []
            calls.append((rows, searches[draw.integers(4)], wanted))
        expected = [alone.translate(*call) for call in calls]
        with ThreadPoolExecutor(16) as threads:
            assert list(threads.map(lambda call: shared.translate(*call), calls)) == expected

    def test_a_source_that_is_too_long_fails_alone(self) -> None:
        shared = Sharing(LiteRTEngine(scripted.graph()), places=1, most=16)
        sources = [[5] * (engine.MAX_SOURCE + 1) if number % 5 == 0 else [20, 30 + number] for number in range(60)]

        def ids(source: list[int]) -> tuple[int, ...] | str:
            try:
                return shared.translate([source], GREEDY)[0][0].ids
            except EngineError as error:
                return str(error)

        with ThreadPoolExecutor(16) as threads:
            found = list(threads.map(ids, sources))
        refused = "A source must have at most 256 pieces. Received: 257"
        assert found == [refused if len(source) > 2 else tuple(reversed(source)) for source in sources]

    def test_all_threads_for_one_batch_and_one_for_each_of_several(self, monkeypatch: pytest.MonkeyPatch) -> None:
        chosen = LiteRTEngine(scripted.graph(), threads=2)
        run, used = chosen._run_with, []
        started, release = threading.Event(), threading.Event()

        def held(job: engine.batching.Job, threads: int) -> engine.batching.Arrays:
            used.append(threads)
            if len(used) == 1:
                started.set()
                release.wait(PATIENCE)
            return run(job, threads)

        monkeypatch.setattr(chosen, "_run_with", held)
        with ThreadPoolExecutor(1) as threads:
            first = threads.submit(chosen.translate, [[20, 30]], GREEDY)
            assert started.wait(PATIENCE)
            second = chosen.translate([[20, 30]], GREEDY)
            release.set()
            assert first.result() == second
        chosen.translate([[20, 30]], GREEDY)
        assert used == [2, 1, 2]

    def test_a_model_that_is_loaded_is_shared(self, tmp_path: Path) -> None:
        assert isinstance(engine.load(bundle.load(scripted.write(tmp_path / "model"))), Sharing)
