"""Several processes that do the same work: started, watched, started again when one dies, and ended together.

It knows processes and signals; it does not know what their work is.
"""

from __future__ import annotations

import bisect
import contextlib
import os
import pickle
import selectors
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

SOON, RARELY = 1.0, 30.0
"""Seconds until a worker that died young is replaced: at first, and at most."""
YOUNG = 10.0
"""Seconds that a worker must live for its death to be taken for an accident."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)

Work = Callable[[Callable[[], None]], None]


class WorkersError(ValueError):
    """This system has no such processes."""


@dataclass
class _Worker:
    pid: int
    pipe: int
    born: float
    said: bytes = b""


class Workers:
    """Processes that do the same work.

    1. Each is a fork of this process, so that they share what it holds; it must have no threads yet.
    2. One that dies is replaced at once, or after a while if it was young.
    3. If one cannot begin its work and none ever could, its exception is raised here, after all have ended.
    4. SIGTERM and SIGINT are passed on; who has not ended after `grace` seconds is killed. Should this process be
       killed itself, the others end as after SIGTERM.

    Arguments:
        count: how many.
        work: what each does; it calls what it is given when it has begun well, and returns after SIGTERM.
        grace: seconds.

    Raises:
        WorkersError: the system cannot fork.
        KeyboardInterrupt: after a clean end by SIGINT.
    """

    def __init__(self, count: int, work: Work, *, grace: float) -> None:
        self._work = work
        self._grace = grace
        self._workers: list[_Worker] = []
        self._due = [0.0] * count  # when workers are to be started
        self._begun = False
        self._early = 0
        self._ending = self._told = 0.0
        self._interrupted = False
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Returns when all have ended; to be called in the main thread."""
        if not hasattr(os, "fork"):
            raise WorkersError("Several workers need a system that can fork. Received: one that cannot")
        self._life, held = os.pipe()  # who reads it sees the end of this process
        woken, wake = os.pipe()
        self._ours = (held, woken, wake)
        with selectors.DefaultSelector() as self._ears, self._signals(wake):
            self._ears.register(woken, selectors.EVENT_READ, None)
            while self._workers or not self._ending:
                self._start_due()
                for key, _ in self._ears.select(0.2):
                    if key.data is not None:
                        self._hear(key.data)
                    elif os.read(woken, 100):
                        self._end()
                self._insist()
        for end in (self._life, *self._ours):
            os.close(end)
        if self._failure is not None:
            raise self._failure
        if self._interrupted:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def _signals(self, wake: int) -> Iterator[None]:
        def heard(number: int, _: object) -> None:
            self._interrupted |= number == signal.SIGINT
            os.write(wake, b".")

        self._before = {number: signal.signal(number, heard) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in self._before.items():
                signal.signal(number, handler)

    def _start_due(self) -> None:
        now = time.monotonic()
        while not self._ending and self._due and self._due[0] <= now:
            self._due.pop(0)
            ours, theirs = os.pipe()
            sys.stdout.flush()
            sys.stderr.flush()
            signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
            pid = os.fork()
            if pid == 0:
                self._be_one(theirs)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            os.close(theirs)
            worker = _Worker(pid, ours, now)
            self._workers.append(worker)
            self._ears.register(ours, selectors.EVENT_READ, worker)

    def _be_one(self, pipe: int) -> NoReturn:
        """What a new process does."""
        code = 1
        try:
            for number, handler in self._before.items():
                signal.signal(number, handler)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            self._ears.close()
            for end in (*self._ours, *(worker.pipe for worker in self._workers)):
                os.close(end)
            threading.Thread(target=_end_with, args=(self._life,), daemon=True).start()
            self._work(lambda: _say(pipe, b"+"))
            code = 0
        except KeyboardInterrupt:
            code = 0
        except BaseException as error:
            _say(pipe, _packed(error))
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.flush()
            os._exit(code)

    def _hear(self, worker: _Worker) -> None:
        heard = os.read(worker.pipe, 1 << 16)
        worker.said += heard
        self._begun |= worker.said[:1] == b"+"
        if heard:
            return
        self._ears.unregister(worker.pipe)
        os.close(worker.pipe)
        self._workers.remove(worker)
        status = os.waitstatus_to_exitcode(os.waitpid(worker.pid, 0)[1])
        if self._ending:
            return
        failure = worker.said.removeprefix(b"+")
        error = pickle.loads(failure) if failure else None  # of a process of our own
        if error is not None and not self._begun:
            self._failure = error
            self._end()
            return
        self._early = self._early + 1 if time.monotonic() - worker.born < YOUNG else 0
        wait = min(RARELY, SOON * 2 ** min(self._early - 1, 30)) if self._early else 0.0
        bisect.insort(self._due, time.monotonic() + wait)
        why = f"signal {-status}" if status < 0 else str(error or f"code {status}")
        print(f"A worker ended ({why}); another one starts in {wait:g} s.", file=sys.stderr, flush=True)

    def _end(self) -> None:
        self._ending = self._ending or time.monotonic() + self._grace
        self._told = 0.0

    def _insist(self) -> None:
        """Says it again, for a process that is just beginning may not have heard it."""
        now = time.monotonic()
        if not self._ending or now < self._told + 1:
            return
        self._told = now
        number = signal.SIGTERM if now < self._ending else signal.SIGKILL
        for worker in self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid, number)


def _end_with(life: int) -> None:
    os.read(life, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def _say(pipe: int, said: bytes) -> None:
    with contextlib.suppress(OSError):
        os.write(pipe, said)


def _packed(error: BaseException) -> bytes:
    try:
        packed = pickle.dumps(error)
        pickle.loads(packed)
    except Exception:
        packed = pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return packed
