"""What the graph tells of one sentence beyond its translation: the trace, the search, the gradient, the influence.

It knows the names of the graph's inputs and outputs, as `batching` does; it does not know what they show.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq.config import SearchConfig
from seq2seq.engine import batching, demands
from seq2seq.engine.batching import Arrays, EngineError, Run
from seq2seq.engine.demands import NOTHING, Demands, is_plain

ALTERNATIVES = 5
"""So many are given unless asked for, and by the graphs of older models always."""
_INPUTS = {
    "attention_bias": (lambda value: not value.any(), "mute and boost source pieces"),
    "present": (lambda value: bool(value.all()), "hide source pieces"),
    "k": (lambda value: value.tolist() == [ALTERNATIVES], f"give other than {ALTERNATIVES} alternatives"),
}
"""The inputs that graphs of older models lack: whether a value asks for nothing, and what it asks for."""


class OlderGraphError(EngineError):
    """The graph was made before what is asked of it existed."""


@dataclass(frozen=True)
class Aim:
    """What of one sentence is looked at."""

    alternatives: int = ALTERNATIVES
    """How many of the most probable pieces at each position."""
    attention_bias: tuple[float, ...] = ()
    """As in `Demands`."""
    step: int | None = None
    """The target position whose gradient is wanted; None is the last."""


USUAL = Aim()


def explain(run: Run, source: Sequence[int], target: Sequence[int], aim: Aim = USUAL) -> Arrays:
    """See `Engine.explain`."""
    inputs = _pair(source, target, aim) | {"k": np.array([aim.alternatives], np.int32)}
    [outputs] = run([("explain", inputs)])
    return _alone(outputs, {"encoder": 3, "decoder": 2})


def gradient(run: Run, source: Sequence[int], target: Sequence[int], aim: Aim = USUAL) -> Arrays:
    """See `Engine.gradient`."""
    step = len(target) if aim.step is None else aim.step
    if not 0 <= step <= len(target):
        raise EngineError(f"A step must be a position of the translation, 0 to {len(target)}. Received: {step}")
    inputs = _pair(source, target, aim) | {"step": np.array([step], np.int32)}
    [outputs] = run([("gradient", inputs)])
    return _alone(outputs, {"encoder": 3, "decoder": 2})


def replay(run: Run, source: Sequence[int], search: SearchConfig, wanted: Demands = NOTHING) -> Arrays:
    """See `Engine.replay`."""
    batching.check([source], search, [wanted])
    inputs = batching.basic_inputs([source], search)
    plain = is_plain(search, wanted)
    if not plain:
        inputs |= batching.demanding(inputs["max_length"], [source], search, [wanted])
    [outputs] = run([("translate" if plain else "constrained", inputs)])
    return _alone(outputs, dict.fromkeys(("record_tokens", "record_parents", "record_log_probs"), 1))


def occlusion(
    run: Run,
    source: Sequence[int],
    target: Sequence[int],
    aim: Aim = USUAL,
    *,
    workers: int = 1,
    room: batching.Room = batching.ROOMY,
) -> np.ndarray:
    """See `Engine.occlusion`."""
    rows = len(source) + 2  # each piece and EOS hidden once, and nothing
    scores = batching.score(
        run,
        [source] * rows,
        [target] * rows,
        hidden=[*range(len(source) + 1), None],
        attention_bias=aim.attention_bias,
        workers=workers,
        room=room,
    )
    told = np.array(scores)  # (S + 1, T)
    return (told[-1:] - told[:-1]).T.astype(np.float32)


def fitting(inputs: Arrays, known: Collection[str]) -> Arrays:
    """The inputs that a graph has, for one that was made before some existed.

    Raises:
        OlderGraphError: one that it lacks asks for something.
    """
    for name in inputs.keys() - set(known):
        idle, purpose = _INPUTS.get(name, (lambda _: False, f"take {name}"))
        if not idle(inputs[name]):
            raise OlderGraphError(
                f"To {purpose}, an older model must be made again: seq2seq export MODEL --format model. "
                f"Received: a graph without {name}"
            )
    return {name: value for name, value in inputs.items() if name in known}


def _pair(source: Sequence[int], target: Sequence[int], aim: Aim) -> Arrays:
    batching.check([source], SearchConfig(), ())
    return {
        "source": batching.pad([source]),
        "target": batching.pad([target]),
        "attention_bias": demands.biases([source], [aim.attention_bias]),
    }


def _alone(outputs: Arrays, batch_axis: dict[str, int]) -> Arrays:
    return {name: np.squeeze(value, batch_axis.get(name, 0)) for name, value in outputs.items()}
