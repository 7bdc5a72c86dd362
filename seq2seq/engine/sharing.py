"""One engine for many callers: what several threads ask for at the same time is translated together.

It owns who waits and who translates for whom; it does not know what runs the graph.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from seq2seq.config import SearchConfig
from seq2seq.engine.batching import Arrays, Demands, Hypothesis, Told, hypotheses
from seq2seq.engine.demands import NOTHING
from seq2seq.engine.looking import USUAL, Aim

if TYPE_CHECKING:
    from seq2seq.engine import Engine


@dataclass(eq=False)
class _Request:
    sources: Sequence[Sequence[int]]
    search: SearchConfig
    demands: Sequence[Demands]
    woken: threading.Event = field(default_factory=threading.Event)
    """Set when it is answered, when its caller is to translate `batch`, and when its caller is gone."""
    batch: list[_Request] = field(default_factory=list)
    """What its caller is to translate, its own request first; empty while that is somebody else's task."""
    found: list[list[Hypothesis]] = field(default_factory=list)
    error: Exception | None = None

    @property
    def size(self) -> int:
        return len(self.sources) * hypotheses(self.search)


class Sharing:
    """An engine whose callers share batches; itself an `Engine`.

    1. A call starts at once, alone, while fewer than `places` are under way: nobody waits for company.
    2. Else it waits. Whenever a place is free, the call that waits longest takes it, and along with itself
       translates those behind it that search in the same way, up to `most` hypotheses in all.
    3. What is too large to share a batch goes straight to the engine.
    4. If a batch fails, each call in it is tried by itself, so that an error reaches only whom it concerns.

    The threads that call do the work; there are no others. Results are those of calls made one by one as far as the
    engine's do not depend on the batch: to the bit with LiteRT, but for the rounding of scores with TensorFlow.

    Arguments:
        engine: does the work; all but `translate` go to it as they are.
        places: most shared batches at the same time.
        most: most hypotheses of a shared batch: sentences times beam.
    """

    def __init__(self, engine: Engine, *, places: int, most: int) -> None:
        self._engine = engine
        self._places = places
        self._most = most
        self._lock = threading.Lock()
        self._waiting: list[_Request] = []
        self._running = 0

    @property
    def name(self) -> str:
        """See `Engine`."""
        return self._engine.name

    @property
    def told(self) -> Told:
        """See `Engine`."""
        return self._engine.told

    @told.setter
    def told(self, told: Told) -> None:
        self._engine.told = told

    def translate(
        self, sources: Sequence[Sequence[int]], search: SearchConfig, demands: Sequence[Demands] = ()
    ) -> list[list[Hypothesis]]:
        """See `Engine`."""
        request = _Request(sources, search, demands)
        if request.size + hypotheses(search) > self._most or len(demands) not in (0, len(sources)):
            return self._engine.translate(sources, search, demands)
        try:
            with self._lock:
                self._waiting.append(request)
                self._hand_out()
            request.woken.wait()
            if request.batch:
                self._answer(request.batch)
        finally:
            self._leave(request)
        if request.error is not None:
            raise request.error
        return request.found

    def score(self, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> list[tuple[float, ...]]:
        """See `Engine`."""
        return self._engine.score(sources, targets)

    def explain(self, source: Sequence[int], target: Sequence[int], aim: Aim = USUAL) -> Arrays:
        """See `Engine`."""
        return self._engine.explain(source, target, aim)

    def gradient(self, source: Sequence[int], target: Sequence[int], aim: Aim = USUAL) -> Arrays:
        """See `Engine`."""
        return self._engine.gradient(source, target, aim)

    def replay(self, source: Sequence[int], search: SearchConfig, demands: Demands = NOTHING) -> Arrays:
        """See `Engine`."""
        return self._engine.replay(source, search, demands)

    def occlusion(self, source: Sequence[int], target: Sequence[int], aim: Aim = USUAL) -> np.ndarray:
        """See `Engine`."""
        return self._engine.occlusion(source, target, aim)

    def _hand_out(self) -> None:
        """Fills the free places; called with the lock held."""
        while self._waiting and self._running < self._places:
            first, room = self._waiting[0], self._most
            for each in self._waiting:
                if each.size <= room and each.search == first.search:
                    first.batch.append(each)
                    room -= each.size
            self._waiting = [each for each in self._waiting if each not in first.batch]
            self._running += 1
            first.woken.set()

    def _answer(self, batch: Sequence[_Request]) -> None:
        sources = [source for each in batch for source in each.sources]
        wanted = [demands for each in batch for demands in each.demands or [NOTHING] * len(each.sources)]
        found: list[list[Hypothesis]] = []
        error = None
        try:
            found = self._engine.translate(sources, batch[0].search, wanted)
        except Exception as failure:
            error = failure
        if error is not None and len(batch) > 1:
            for each in batch:
                self._answer([each])
            return
        rest = iter(found)
        for each in batch:
            each.error = error
            each.found = list(islice(rest, len(each.sources)))
            each.woken.set()

    def _leave(self, request: _Request) -> None:
        """Frees the caller's place; what an interrupted caller owes to others goes back to the head of the queue."""
        with self._lock:
            request.woken.set()
            if request in self._waiting:
                self._waiting.remove(request)
            if request.batch:
                self._waiting[:0] = [each for each in request.batch if not each.woken.is_set()]
                self._running -= 1
                self._hand_out()
