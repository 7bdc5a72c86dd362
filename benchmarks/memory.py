"""How long networks remember: an LSTM and a plain tanh recurrence with as many units on a copy task, by length.

    python benchmarks/memory.py --json memory.json --chart docs/memory.png --asset seq2seq/web/assets/memory.json

The task: read a few symbols, then blanks, then as many marks; at the marks say the symbols. A network of a length is
trained with up to so many blanks, and asked with all of them. The gradient is followed backwards by hand, from the last
symbol that is said, over the blanks, to the first that was read. Every network is written to --json as soon as it is
trained; the same command again goes on where it was ended.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from measuring import machine

from seq2seq import lstm

SYMBOLS = 8
BLANK, MARK = SYMBOLS, SYMBOLS + 1
NETWORKS = ("lstm", "plain")
GROWING = "plain, weights doubled"
RECIPE = ("units", "remember", "steps", "batch", "rate", "seed")
"""The arguments that must be the same for an earlier run to be gone on with."""
ENOUGH = 0.999
"""The accuracy at which a training ends early."""


class Network(NamedTuple):
    """A recurrence and what reads symbols off it."""

    layer: Any
    readout: Any

    @property
    def weights(self) -> list[Any]:
        return [*self.layer.trainable_weights, *self.readout.trainable_weights]

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """Scores of the symbols at every step, (B, T, SYMBOLS)."""
        if isinstance(self.layer, keras.layers.LSTM):
            return self.readout(lstm.run(self.layer, x, training=True)[0])
        return self.readout(self.layer(x))


def network(kind: str, units: int, *, gain: float = 1.0) -> Network:
    """A fresh one. Keras begins with orthogonal recurrent weights, and with forget gates biased by 1."""
    settings = {"return_sequences": True, "recurrent_initializer": keras.initializers.Orthogonal(gain)}
    layer = keras.layers.SimpleRNN(units, **settings)
    if kind == "lstm":
        layer = keras.layers.LSTM(units, return_state=True, **settings)
    layer.build((None, None, SYMBOLS + 2))
    readout = keras.layers.Dense(SYMBOLS)
    readout.build((None, None, units))
    return Network(layer, readout)


def examples(draw: np.random.Generator, count: int, blanks: int, remember: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs as one of SYMBOLS + 2 kinds at each step, (B, T, kinds), and the symbols to say, (B, remember)."""
    symbols = draw.integers(0, SYMBOLS, (count, remember))
    filling = [np.full((count, many), kind) for many, kind in ((blanks, BLANK), (remember, MARK))]
    return np.eye(SYMBOLS + 2, dtype=np.float32)[np.concatenate([symbols, *filling], axis=1)], symbols


def accuracy(net: Network, blanks: int, remember: int, count: int = 500) -> float:
    """Share of the symbols that are said rightly; chance is 1 / SYMBOLS."""
    x, symbols = examples(np.random.default_rng(7), count, blanks, remember)
    return float(np.mean(np.argmax(net(tf.constant(x))[:, -remember:], axis=-1) == symbols))


def trained(kind: str, blanks: int, recipe: argparse.Namespace) -> tuple[Network, int]:
    """A network that learned with 1 to `blanks` blanks, and the steps that took."""
    keras.utils.set_random_seed(recipe.seed)
    net, optimizer, draw = network(kind, recipe.units), keras.optimizers.Adam(recipe.rate), np.random.default_rng(1)
    optimizer.build(net.weights)

    @tf.function(reduce_retracing=True)
    def step(x: tf.Tensor, symbols: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            said = net(x)[:, -recipe.remember :]
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(symbols, said))
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, net.weights), 1.0)
        optimizer.apply_gradients(zip(gradients, net.weights, strict=True))

    for number in range(1, recipe.steps + 1):
        many = blanks if number % 2 else int(draw.integers(1, blanks + 1))
        step(*map(tf.constant, examples(draw, recipe.batch, many, recipe.remember)))
        if number % 250 == 0 and accuracy(net, blanks, recipe.remember) >= ENOUGH:
            return net, number
    return net, recipe.steps


def felt(net: Network, x: np.ndarray, symbols: np.ndarray) -> np.ndarray:
    """Norm of the derivative of the last symbol's loss by the state at each step, latest first, (T, B).

    The state is the cell state of an LSTM and the hidden state of a plain recurrence, and what is counted is the
    derivative on all paths.
    """
    kernel, recurrent, bias = (tf.convert_to_tensor(weight) for weight in net.layer.weights)
    back = _lstm if isinstance(net.layer, keras.layers.LSTM) else _plain
    z = tf.transpose(tf.constant(x) @ kernel + bias, (1, 0, 2))  # (T, B, ...)

    def wish(h: tf.Tensor) -> tf.Tensor:
        wrong = tf.nn.softmax(net.readout(h)) - tf.one_hot(symbols[:, -1], SYMBOLS)
        return wrong @ tf.transpose(net.readout.kernel)

    return np.stack([np.linalg.norm(each, axis=-1) for each in back(z, recurrent, wish)])


def _plain(z: tf.Tensor, recurrent: tf.Tensor, wish: Callable[[tf.Tensor], tf.Tensor]) -> list[tf.Tensor]:
    h, states, found = tf.zeros_like(z[0]), [], []
    for now in z:
        h = tf.tanh(now + h @ recurrent)
        states.append(h)
    dh = wish(h)
    for state in reversed(states):
        found.append(dh)
        dh = (dh * (1 - state * state)) @ tf.transpose(recurrent)
    return found


def _lstm(z: tf.Tensor, recurrent: tf.Tensor, wish: Callable[[tf.Tensor], tf.Tensor]) -> list[tf.Tensor]:
    h = tf.zeros((z.shape[1], recurrent.shape[0]))
    state, slopes, found = lstm.State(h, h), [], []
    for now in z:
        step = lstm.cell(now + state.h @ recurrent, state)
        slopes.append(lstm.slopes(step, state.c))
        state = lstm.State(step.h, step.c)
    dh, dc = wish(state.h), tf.zeros_like(state.c)
    for slope in reversed(slopes):
        found.append(dc + dh * slope.c_by_h)
        dz, dc = lstm.cell_backward(dh, dc, slope)
        dh = dz @ tf.transpose(recurrent)
    return found


def gradient(net: Network, blanks: int, remember: int) -> list[float]:
    """What is left of the gradient, 1 at the last step, by the number of steps back; the median of 64 sequences."""
    norms = felt(net, *examples(np.random.default_rng(8), 64, blanks, remember))
    return [float(f"{share:.4g}") for share in np.median(norms / np.maximum(norms[0], 1e-30), axis=1)]


def measured(kind: str, blanks: int, recipe: argparse.Namespace) -> dict[str, Any]:
    """One network: how it did, and its gradient before and after training."""
    begun = time.perf_counter()
    keras.utils.set_random_seed(recipe.seed)
    fresh = gradient(network(kind, recipe.units), blanks, recipe.remember)
    net, steps = trained(kind, blanks, recipe)
    return {
        "network": kind,
        "blanks": blanks,
        "parameters": sum(int(np.prod(weight.shape)) for weight in net.weights),
        "accuracy": round(accuracy(net, blanks, recipe.remember), 4),
        "steps": steps,
        "seconds": round(time.perf_counter() - begun, 1),
        "gradient": {"fresh": fresh, "trained": gradient(net, blanks, recipe.remember)},
    }


def growing(blanks: int, recipe: argparse.Namespace) -> list[float]:
    """The gradient of a fresh plain recurrence with weights twice as large."""
    keras.utils.set_random_seed(recipe.seed)
    return gradient(network("plain", recipe.units, gain=2.0), blanks, recipe.remember)


def chart(results: Mapping[str, Any], path: Path) -> None:
    """Accuracy by length, and what is left of the gradient."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    colours = {"lstm": "#0f766e", "plain": "#b45309"}
    names = {"lstm": "LSTM", "plain": "plain tanh recurrence"}
    for kind in NETWORKS:
        rows = sorted((row for row in results["rows"] if row["network"] == kind), key=lambda row: row["blanks"])
        share = [100 * row["accuracy"] for row in rows]
        left.plot([row["blanks"] for row in rows], share, "o-", color=colours[kind], label=names[kind])
        for when, line in (("fresh", ":"), ("trained", "-")):
            values = np.maximum(rows[-1]["gradient"][when], 1e-12)
            right.semilogy(values, line, color=colours[kind], linewidth=2, label=f"{names[kind]}, {when}")
    right.semilogy(results["growing"], "--", color="#6b7280", linewidth=1.5, label="plain, fresh, weights doubled")
    left.axhline(100 / SYMBOLS, color="#9ca3af", linestyle="--", linewidth=1)
    left.set(xlabel="steps between reading and saying", ylabel="symbols said rightly, %", ylim=(0, 103))
    right.set(xlabel="steps back", ylabel="gradient, 1 at the last step")
    for axes in (left, right):
        axes.legend(fontsize=8, frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150, metadata={"Software": None})


def asset(results: Mapping[str, Any]) -> dict[str, Any]:
    """What the panel of the memory cell draws: the longest length that both networks were trained at."""
    blanks = max(row["blanks"] for row in results["rows"])
    kept = {row["network"]: row for row in results["rows"] if row["blanks"] == blanks}
    curves = {kind: kept[kind]["gradient"]["trained"] for kind in NETWORKS}
    return {
        "units": results["recipe"]["units"],
        "steps": blanks,
        "accuracy": {kind: kept[kind]["accuracy"] for kind in NETWORKS},
        "gradient": curves,
    }


def write(path: Path, plain: Any) -> None:
    """JSON at a path, whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def begun(path: Path, recipe: dict[str, Any]) -> dict[str, Any]:
    """What an earlier run left, or nothing yet."""
    if not path.exists():
        return {"machine": machine(), "recipe": recipe, "rows": []}
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        earlier = results["recipe"]
    except (ValueError, KeyError, TypeError):
        raise SystemExit(f"--json must name a file of this benchmark, or none. Received: {path}") from None
    if earlier != recipe:
        raise SystemExit(f"--json must name a file of the same recipe, or none. Received: {path}, with {earlier}")
    return dict(results)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=int, nargs="+", default=[10, 20, 50, 100, 200], help="numbers of blanks")
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--remember", type=int, default=3, help="symbols to read and say")
    parser.add_argument("--steps", type=int, default=4000, help="of training, at most")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, default=Path("memory.json"), help="all figures")
    parser.add_argument("--chart", type=Path, help="a PNG")
    parser.add_argument("--asset", type=Path, help="what the app shows")
    given = parser.parse_args(arguments)
    results = begun(given.json, {name: getattr(given, name) for name in RECIPE})
    done = {(row["network"], row["blanks"]) for row in results["rows"]}
    for blanks in sorted(set(given.lengths)):
        for kind in NETWORKS:
            if (kind, blanks) in done:
                continue
            row = measured(kind, blanks, given)
            results["rows"].append(row)
            results["growing"] = growing(blanks, given)
            write(given.json, results)
            told = f"{kind:5} {blanks:4} blanks: {row['accuracy']:6.1%} right after {row['steps']} steps"
            print(f"{told}, gradient left {row['gradient']['trained'][-1]:.2g}", file=sys.stderr, flush=True)
    if given.chart:
        chart(results, given.chart)
    if given.asset:
        write(given.asset, asset(results))


if __name__ == "__main__":
    main()
