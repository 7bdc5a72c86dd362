"""One training on several machines of a Ray cluster: Ray Train starts the workers and tells each where the others are.

It owns what the user's process and the workers say to each other; what a worker does is `train`, as without Ray.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seq2seq import bundle, cluster, distribution, training
from seq2seq.bundle import Bundle
from seq2seq.distribution import DistributionError
from seq2seq.pipeline.budget import AS_USUAL, Before
from seq2seq.pipeline.run import Files, PipelineError, Run, check_folder, found
from seq2seq.pipeline.train import check, train
from seq2seq.signals import StopSignals

Say = Callable[[str], None]

HANDED_ON = ("KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL")
"""Variables that the workers get from the user's process; Ray hands on none by itself."""
EVERY = 0.5
"""Seconds between two looks at what the first worker says."""
GOING = "stopping after this batch; once more stops at once, and what came after the last checkpoint is lost"


@dataclass(frozen=True)
class Workers:
    """Processes that share each batch, wherever in the cluster there is room for them."""

    count: int
    gpus: int = 1
    """How many each has for itself, in a cluster with GPUs."""


class Desk:
    """An actor between the user's process and the workers: lines in one direction, a wish to stop in the other."""

    clock = staticmethod(time.monotonic)

    def __init__(self) -> None:
        self._begun = self.clock()
        self._lines: list[str] = []
        self._stop = False
        self._came: dict[int, int] = {}

    def come(self, worker: int) -> int:
        """How often this worker was there before: where a machine is taken away, Ray starts all of them once more."""
        self._came[worker] = self._came.get(worker, -1) + 1
        return self._came[worker]

    def age(self) -> float:
        """Seconds since workers were asked for: they wait for room, and may be started once more."""
        return self.clock() - self._begun

    def tell(self, line: str) -> None:
        self._lines.append(line)

    def told(self) -> list[str]:
        lines, self._lines = self._lines, []
        return lines

    def stop(self) -> None:
        self._stop = True

    def stopping(self) -> bool:
        return self._stop


def train_on_ray(
    files: Files,
    output: Path,
    workers: Workers,
    *,
    settings: Mapping[str, Any],
    provenance: Mapping[str, Any] | None = None,
    resume: bool = False,
    before: Before = AS_USUAL,
    say: Say = print,
) -> Bundle:
    """`train` in several workers that Ray Train starts, on a file system that this process and all of them share.

    The cluster is the one that RAY_ADDRESS names, or the one that runs on this machine, or a new one of this machine
    alone. SIGINT and SIGTERM stop the workers after the same batch, with a checkpoint.

    Arguments:
        files, output, settings, provenance, resume, before, say: as for `train`.
        workers: how many, and what each has for itself.

    Raises:
        ImportError: Ray is not installed.
        DistributionError: there is no such cluster, no room in it, or a worker is gone.
        PipelineError, Interrupted and others: as `train`, whichever worker raised it.
    """
    check_folder(output, resume)
    if not resume and _reads_stdin(tuple(vars(files).values())):
        raise PipelineError("Workers have no standard input; --source and others must name files. Received: -")
    run = Run(output)
    if resume and run.config.exists() and run.finished:  # so no cluster is needed
        check(run, files, settings)
        return found(run, say)
    job = {
        "files": Files(**{name: _absolute(value) for name, value in vars(files).items()}),
        "output": _absolute(output),
        "settings": dict(settings),
        "provenance": dict(provenance or {}),
        "resume": resume,
        "gpus": workers.gpus,
        "before": before,
    }
    with _cluster(workers.count, say) as ray:
        job["age"] = before.budget.clock() - before.budget.begun if before.budget else 0.0
        desk = ray.remote(Desk).options(num_cpus=0, scheduling_strategy=_here(ray)).remote()
        _fit(ray, desk, workers, job, say)
    return bundle.load(run.model)


def work(job: Mapping[str, Any]) -> None:
    """What each worker does, where TF_CONFIG says which of them it is."""
    import ray

    os.environ.pop("TF_USE_LEGACY_KERAS", None)  # Ray sets it; tf.keras would be a package that is not there
    desk = job["desk"]
    threading.Thread(target=_listen, args=(lambda: ray.get(desk.stopping.remote()),), daemon=True).start()
    number = distribution.machine_of(os.environ.get("TF_CONFIG", ""))[0]

    def say(line: str) -> None:
        if number == 0:
            ray.get(desk.tell.remote(line))

    before, output = job["before"], job["output"]
    if before.budget:  # clocks of two machines have nothing in common
        age = job["age"] + ray.get(desk.age.remote())
        before = replace(before, budget=replace(before.budget, begun=before.budget.clock() - age))
    resume = job["resume"] or (ray.get(desk.come.remote(number)) > 0 and output.is_dir())
    passed = {name: job[name] for name in ("settings", "provenance", "gpus")}
    try:
        train(job["files"], output, resume=resume, before=before, say=say, **passed)
    except Exception as error:
        raise _portable(error) from error


def _listen(stopping: Callable[[], bool]) -> None:
    with contextlib.suppress(Exception):  # of Ray, when the user's process has left
        while not stopping():
            time.sleep(2 * EVERY)
        training.STOP.set()


def _portable(error: Exception) -> Exception:
    """The error as it can travel to another process: TensorFlow's cannot."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


@contextlib.contextmanager
def _cluster(count: int, say: Say) -> Iterator[Any]:
    try:
        with cluster.connected(count, say) as ray:
            yield ray
    except cluster.ClusterError as error:
        raise DistributionError(str(error)) from error


def _here(ray: Any) -> Any:
    """A place on the machine of this process, so that no other one takes the desk with it."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)


def _fit(ray: Any, desk: Any, workers: Workers, job: Mapping[str, Any], say: Say) -> None:
    """Runs the job in all workers, says what the first one says, and hands on the wish to stop."""
    from ray.train import ControllerError, FailureConfig, RunConfig, ScalingConfig, WorkerGroupError
    from ray.train.tensorflow import TensorflowTrainer

    each = {"CPU": 1}
    if workers.gpus > 1 or ray.cluster_resources().get("GPU"):
        each["GPU"] = workers.gpus
    what = ", ".join(f"{number} {name}" for name, number in each.items())
    say(f"{workers.count} workers on Ray, each with {what}; waiting for them")
    failed: list[Exception] = []
    scaling = ScalingConfig(
        num_workers=workers.count, use_gpu="GPU" in each, resources_per_worker=each, placement_strategy="SPREAD"
    )

    def fit() -> None:
        variables = {name: os.environ[name] for name in HANDED_ON if name in os.environ}
        try:
            with tempfile.TemporaryDirectory() as folder:  # Ray's own notes; ours are in the run folder
                run_config = RunConfig(
                    name=job["output"].name,
                    storage_path=folder,
                    failure_config=FailureConfig(controller_failure_limit=0),
                    worker_runtime_env={"env_vars": variables},
                )
                given = {**job, "desk": desk}
                TensorflowTrainer(work, train_loop_config=given, scaling_config=scaling, run_config=run_config).fit()
        except Exception as error:
            failed.append(error)

    with StopSignals() as stop:
        _follow(ray, desk, threading.Thread(target=fit, daemon=True), stop, say)
    if not failed:
        return
    if isinstance(failed[0], WorkerGroupError):
        raise _reason(failed[0].worker_failures) from failed[0]
    if isinstance(failed[0], ControllerError):
        present = ", ".join(f"{ray.cluster_resources().get(name, 0):.0f} {name}" for name in each)
        raise DistributionError(
            f"A Ray cluster must have room for all workers, and seq2seq on all machines. Received: {workers.count} "
            f"workers, each with {what}, in a cluster with {present} ({cluster.gist(failed[0].controller_failure)})"
        ) from failed[0]
    raise failed[0]


def _follow(ray: Any, desk: Any, running: threading.Thread, stop: StopSignals, say: Say) -> None:
    running.start()
    asked = False
    while True:
        alive = running.is_alive()
        for line in ray.get(desk.told.remote()):
            say(line)
        if not alive:
            return
        if stop.asked and not asked:
            asked = True
            desk.stop.remote()
            say(GOING)
        running.join(EVERY)


def _reason(failures: Mapping[int, Exception]) -> Exception:
    """Why the workers failed: what one of them said of itself rather than what others missed."""
    said = [error for _, error in sorted(failures.items()) if not type(error).__module__.startswith("ray.")]
    for error in said:
        if not isinstance(error, DistributionError):
            return error
    if said:
        return said[0]
    gone = ", ".join(str(rank + 1) for rank in sorted(failures))
    return DistributionError(
        f"All workers must stay alive; start the same command again with --resume. Received: the end of worker {gone}"
    )


def _reads_stdin(value: Any) -> bool:
    return any(map(_reads_stdin, value)) if isinstance(value, tuple) else str(value) == "-"


def _absolute(value: Any) -> Any:
    """Paths as a worker must read them, which is started in another folder."""
    if isinstance(value, tuple):
        return tuple(map(_absolute, value))
    return value.absolute() if isinstance(value, Path) and str(value) != "-" else value
