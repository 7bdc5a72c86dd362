"""Several devices and machines that train as one: who takes which rows, what is summed, who writes, who is gone.

It owns the `tf.distribute` strategy and all that machines tell each other; it does not know what is trained.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from seq2seq import batches
from seq2seq.batches import BARE, Batch, Pairs
from seq2seq.signals import plain_signals

GONE = (
    tf.errors.UnavailableError,
    tf.errors.InternalError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
)
"""What a collective operation raises when a machine died, froze or was started again."""

_ADDRESS = re.compile(r"\S+:\d+")
EXAMPLE = '{"cluster": {"worker": ["host1:5000", "host2:5000"]}, "task": {"type": "worker", "index": 0}}'

VISIBLE = 60.0
"""Seconds that a shared file system may take to show a file to another machine."""


class DistributionError(ValueError):
    """Devices or machines cannot train together, or one of them is gone."""


class Devices:
    """The devices that share each batch; one where nothing else is said.

    Every device holds all weights and gets its rows of each batch. Losses are divided by the target tokens of the
    whole batch and gradients are summed over all devices, so that N devices do what one would do with the same batch.

    Arguments:
        strategy: a mirrored strategy; None is one device and no strategy at all.
        machine, machines: the number of this machine, from 0, and of all. The first one writes the files.
    """

    def __init__(self, strategy: tf.distribute.Strategy | None = None, *, machine: int = 0, machines: int = 1) -> None:
        self.strategy, self.machine, self.machines = strategy, machine, machines
        self.replicas = strategy.num_replicas_in_sync if strategy else 1
        self._local = self.replicas // machines
        self._first = machine * self._local
        numbers = tf.TensorSpec((None,), tf.float32)
        self._exchange = tf.function(self._summed, input_signature=[numbers], autograph=False)

    @property
    def chief(self) -> bool:
        """Whether this machine judges the model and writes checkpoints, logs and the model folder."""
        return self.machine == 0

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        """While entered, variables are made on all devices; every machine must make the same ones."""
        with self.strategy.scope() if self.strategy else contextlib.nullcontext(), self.watched():
            yield

    def dataset(self, pairs: Pairs, plan: Sequence[np.ndarray]) -> tf.data.Dataset:
        """The planned batches in turn: each one, or of each what every device of this machine gets."""
        if self.strategy is None:
            return batches.dataset(pairs, plan)
        places = range(self._first, self._first + self._local)

        def shares() -> Iterator[tuple[Batch, ...]]:
            for rows in plan:
                yield tuple(share(pairs, rows, place, self.replicas) for place in places)

        signature = (pairs.signature,) * self._local
        return tf.data.Dataset.from_generator(shares, output_signature=signature).prefetch(4)

    def function(self, each: Callable[..., Any], signature: Batch = BARE) -> Callable[..., Any]:
        """Compiles what a device does with its share of a batch into what this machine does with all of its shares.

        What it returns must be the same on all devices.
        """
        strategy = self.strategy
        if strategy is None:
            return tf.function(each, input_signature=list(signature), autograph=False)

        @tf.function(input_signature=[signature] * self._local, autograph=False)
        def together(*shares: Batch) -> Any:
            def one() -> Any:
                context = tf.distribute.get_replica_context()
                return each(*shares[int(tf.get_static_value(context.replica_id_in_sync_group)) - self._first])

            return tf.nest.map_structure(lambda x: strategy.experimental_local_results(x)[0], strategy.run(one))

        return together

    def spread(self, seeds: Iterable[Any]) -> None:
        """Moves the states of seeds apart, equal on all devices before, so that no two drop the same units."""
        strategy = self.strategy
        if strategy is None:
            return
        states = [seed.value for seed in seeds]

        @tf.function(autograph=False)
        def move() -> None:
            def one() -> None:
                place = tf.distribute.get_replica_context().replica_id_in_sync_group
                for state in states:
                    state.assign_add(tf.cast(tf.stack([place, 0]), state.dtype))

            strategy.run(one)

        move()

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any machine; all machines ask at the same moment."""
        return flag if self.machines == 1 else bool(self._sum([float(flag)])[0])

    def told(self, make: Callable[[], Any]) -> Any:
        """What `make` gives on the first machine, plain JSON, on every machine; only the first one calls it.

        Raises:
            DistributionError: on the others, where it raises a ValueError or an OSError on the first.
        """
        if self.machines == 1:
            return make()
        text, failure = b"", None
        if self.chief:
            try:
                text = json.dumps({"value": make()}, default=float).encode()
            except (ValueError, OSError) as error:
                text, failure = json.dumps({"failure": str(error)}).encode(), error
        block = np.zeros(int(self._sum([float(len(text))])[0]), np.float32)
        block[: len(text)] = np.frombuffer(text, np.uint8)
        told = json.loads(self._sum(block).astype(np.uint8).tobytes())
        if failure:
            raise failure
        if "failure" in told:
            raise DistributionError(f"The first machine has ended the run. Received: {told['failure']}")
        return told["value"]

    def first(self, make: Callable[[], Any]) -> Any:
        """`told`, of what is made before the training, which may take long."""
        if self.machines == 1:
            return make()
        with self.watched(), contextlib.nullcontext() if self.chief else plain_signals():
            return self.told(make)

    def check(self, value: Any, what: str) -> None:
        """Refuses to go on where a machine starts from something else than the first one does."""
        first = self.told(lambda: value)
        if first != value:
            raise DistributionError(
                f"All machines must read the same {what}, from a file system that they share. "
                f"Received: {value} on machine {self.machine + 1} and {first} on the first"
            )

    def wait(self, path: Path) -> None:
        """Waits until the first machine has come here, and the file that it wrote is seen."""
        if self.machines == 1:
            return
        with plain_signals(), self.watched():
            self._sum([0.0])
        given_up = time.monotonic() + VISIBLE
        while not path.exists():
            if time.monotonic() > given_up:
                raise DistributionError(
                    f"All machines must see the output folder, on a file system that they share. "
                    f"Received: {path}, which machine {self.machine + 1} does not see"
                )
            time.sleep(0.2)

    def part(self) -> None:
        """Waits for the others before leaving: a machine that leaves earlier takes its last words with it."""
        if self.machines > 1:
            with contextlib.suppress(*GONE):
                self._sum([0.0])

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """While entered, a machine that is gone ends this one with a sentence.

        TensorFlow's coordination service hears the heart of every machine. Where one beats no more for ten seconds,
        or its connection breaks, whatever waits for it fails.
        """
        try:
            yield
        except GONE as error:
            if self.machines == 1 or (isinstance(error, tf.errors.InternalError) and "ollective" not in str(error)):
                raise
            raise DistributionError(
                "All machines of a run must stay reachable; start it again on all of them with --resume. "
                f"Received: no answer from another machine, on machine {self.machine + 1} of {self.machines}"
            ) from error

    def _sum(self, numbers: Any) -> np.ndarray:
        return self._exchange(tf.constant(numbers, tf.float32)).numpy()

    def _summed(self, numbers: tf.Tensor) -> tf.Tensor:
        """The numbers summed over machines: one device of each has them, its others zeros."""
        strategy = self.strategy or tf.distribute.get_strategy()

        def one() -> tf.Tensor:
            place = tf.distribute.get_replica_context().replica_id_in_sync_group
            return total([numbers * tf.cast(tf.equal(place, self._first), tf.float32)])[0]

        return strategy.experimental_local_results(strategy.run(one))[0]


def connect(gpus: int = 1, say: Callable[[str], None] = print) -> Devices:
    """The devices of this machine, joined with those of the machines that TF_CONFIG names, if it is set.

    Arguments:
        gpus: how many GPUs of each machine share a batch; without any GPU it is the processor.
        say: called with a line before this machine waits for others.

    Raises:
        DistributionError: TF_CONFIG cannot be read, there are fewer GPUs, or TensorFlow was used before.
    """
    machine, machines = machine_of(os.environ.get("TF_CONFIG", ""))
    present = tf.config.list_physical_devices("GPU")
    if gpus > max(1, len(present)):
        raise DistributionError(f"A machine must have the GPUs that it trains on. Received: {gpus}, of {len(present)}")
    if machines == 1:
        with contextlib.suppress(RuntimeError):  # too late: TensorFlow has taken the memory of the others already
            tf.config.set_visible_devices(present[:gpus], "GPU")
        names = [f"GPU:{number}" for number in range(gpus)]
        return Devices(tf.distribute.MirroredStrategy(names) if gpus > 1 else None)
    say(f"machine {machine + 1} of {machines}; waiting for the others")
    try:
        tf.config.set_visible_devices(present[:gpus], "GPU")
        with plain_signals():
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise DistributionError(
            f"Machines must be joined before TensorFlow computes anything. Received: {error}"
        ) from error
    except tf.errors.OpError as error:
        raise DistributionError(
            "Every machine must listen at its own address in TF_CONFIG and reach those of the others. "
            f"Received: {error.message.splitlines()[0]}"
        ) from error
    return Devices(strategy, machine=machine, machines=machines)


def share(pairs: Pairs, rows: np.ndarray, place: int, of: int) -> Batch:
    """What one of several devices gets of a planned batch: every so many-th row.

    Where there are fewer rows than devices it gets a pair to read and nothing to write, which costs no loss.
    """
    mine = rows[place::of]
    if len(mine):
        return batches.batch(pairs, mine)
    stand_in = batches.batch(pairs, rows[:1])
    return stand_in._replace(target_out=np.zeros_like(stand_in.target_out))


def total(tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Inside a step: each tensor summed over all devices."""
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return list(tensors)
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, list(tensors))


def machine_of(text: str) -> tuple[int, int]:
    """The number of this machine and how many there are, from what TF_CONFIG holds."""
    if not text.strip():
        return 0, 1
    try:
        settings = json.loads(text)
        if not settings.get("cluster"):
            return 0, 1
        jobs = settings["cluster"]
        addresses = [address for job in jobs.values() for address in job]
        if not all(isinstance(job, list) for job in jobs.values()) or not all(map(_ADDRESS.fullmatch, addresses)):
            raise ValueError("what is no address")
        if len(set(addresses)) < len(addresses):
            raise ValueError("two machines with one address")
        kind, index = settings["task"]["type"], int(str(settings["task"]["index"]))
        order = [("chief", number) for number in range(len(jobs.get("chief", [])))]
        order += [("worker", number) for number in range(len(jobs.get("worker", [])))]
        if set(jobs) - {"chief", "worker"}:
            raise ValueError("another kind of machine")
        return order.index((kind, index)), len(order)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DistributionError(
            f"TF_CONFIG must name all workers and which of them this machine is, as in {EXAMPLE}. Received: {text}"
        ) from None
