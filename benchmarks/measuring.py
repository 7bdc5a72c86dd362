"""What every benchmark shares: times, the machine and its ceiling, memory, cold starts.

It knows nothing of what is measured. Importing it needs the standard library alone, so that peers can do so in
environments of their own.
"""

from __future__ import annotations

import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PRETRAINED = ROOT / "seq2seq" / "pretrained" / "en-de"
SAMPLE = ROOT / "data" / "sample.en"

COLD = """
import sys
from seq2seq import Translator
Translator.load(sys.argv[1], engine=sys.argv[3])(sys.argv[2])
"""


def timed(function: Callable[[], Any], repeats: int) -> list[float]:
    """Seconds of each of several calls, after one that does not count."""
    function()
    return [seconds for seconds, _ in timed_each(lambda _: function(), range(repeats))]


def timed_each(function: Callable[[Any], Any], arguments: Iterable[Any]) -> list[tuple[float, Any]]:
    """Seconds of one call for each argument, and what it returned."""
    calls = []
    for argument in arguments:
        begun = time.perf_counter()
        returned = function(argument)
        calls.append((time.perf_counter() - begun, returned))
    return calls


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that so large a share of them does not exceed.

    >>> percentile([4.0, 1.0, 3.0, 2.0], 0.5)
    2.0
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)]


def ceiling(dtype: str = "float32") -> float:
    """Operations a second of a matrix product in TensorFlow, (1280, 1024) by (1024, 2048); best of 20."""
    import tensorflow as tf

    left, right = (tf.cast(tf.random.normal(shape), dtype) for shape in ((1280, 1024), (1024, 2048)))
    product = tf.function(lambda: tf.matmul(left, right))
    return 2 * 1280 * 1024 * 2048 / min(timed(lambda: product().numpy(), 20))


def network(model: Path) -> tuple[Any, dict[str, int]]:
    """The tokenizer of a model folder's source, and the sizes of its network by the names that peers know."""
    from seq2seq import Tokenizer, bundle

    opened = bundle.load(model)
    tokenizer = Tokenizer(opened.read(opened.tokenizers[0]))
    names = ("embedding", "units", "encoder_layers", "decoder_layers")
    return tokenizer, {"vocabulary": len(tokenizer)} | {name: getattr(opened.config.model, name) for name in names}


def multiplications(*, vocabulary: int, embedding: int, units: int, encoder_layers: int, decoder_layers: int) -> int:
    """Multiply-adds that one source and one target piece cost together, forward; attention is left out as small."""
    half = units // 2
    encoder, width = 0, embedding
    for _ in range(encoder_layers):
        encoder += 2 * (width + half) * 4 * half
        width = units
    decoder = (embedding + units) * 4 * units
    decoder += (decoder_layers - 1) * (2 * units + units) * 4 * units
    return encoder + decoder + units * units + 2 * units * embedding + embedding * vocabulary


def ceilings() -> dict[str, float]:
    """GFLOP/s of `ceiling` in float32 and bfloat16, taken in a process of its own so that ours stays small."""
    code = "import measuring; print(*(measuring.ceiling(each) / 1e9 for each in ('float32', 'bfloat16')))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parent)
    return dict(zip(("float32", "bfloat16"), map(float, done.stdout.split()), strict=True))


def busy(seconds: float = 2.0) -> float | None:
    """The share of the processors' time that anybody uses while this process waits; None where that is not told."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return None

    def times() -> tuple[int, int]:
        numbers = [int(number) for number in stat.read_text().splitlines()[0].split()[1:9]]
        return sum(numbers), numbers[3] + numbers[4]  # all, and idle or waiting for a disk

    before = times()
    time.sleep(seconds)
    total, idle = (after - then for after, then in zip(times(), before, strict=True))
    return 1 - idle / max(1, total)


def cold_start(model: Path, line: str, repeats: int, *, engine: str = "litert") -> dict[str, Any]:
    """A new process from nothing to its first translation and its end: seconds, and megabytes at its peak.

    On Linux a process begins with the peak of the one that started it, so this must be called from a small one.
    """
    command = [sys.executable, "-c", COLD, str(model), line, engine]
    peaks: list[float] = []

    def start() -> None:
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        peaks.append(usage.ru_maxrss / (1 << (20 if sys.platform == "darwin" else 10)))

    return {"engine": engine, "seconds": statistics.median(timed(start, repeats)), "peak_megabytes": max(peaks)}


def memory() -> dict[str, float]:
    """Megabytes that this process holds, and held at its peak."""
    status = Path("/proc/self/status")
    if status.exists():
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        sizes = {"resident": fields["VmRSS"], "peak": fields["VmHWM"]}
        return {name: int(size.split()[0]) / 1024 for name, size in sizes.items()}
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << (20 if sys.platform == "darwin" else 10))
    return {"resident": peak, "peak": peak}  # elsewhere only the peak is known


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    from seq2seq import precision

    packages = ("tensorflow", "keras", "ai-edge-litert", "numpy")
    return {
        "processor": precision.processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
    }


def read_lines(source: Path, count: int) -> list[str]:
    """What is not blank of the first lines of a file, each once, for equal sentences are translated once."""
    lines = source.read_text(encoding="utf-8").split("\n")[:count]
    return list(dict.fromkeys(line for line in lines if line.strip()))
