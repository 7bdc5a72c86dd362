"""What the page draws, as plain JSON: hypotheses with scores, attention, and the memory cell at work.

The drawing itself is in assets/panels.js, which builds every piece of text with `textContent`; nothing here is HTML.
"""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2seq.explanation import CELL, DIRECTIONS

if TYPE_CHECKING:
    from seq2seq.explanation import Explanation
    from seq2seq.translator import Translation
    from seq2seq.web.desk import Answer

UNITS = 64
"""Rows of the memory picture: the units whose cell state changes most."""
FORGET, STATE = CELL.index("f"), CELL.index("c")


def result(answer: Answer) -> dict[str, Any] | None:
    """Everything below the two panes, for one sentence of the answer; None where it has none."""
    if not answer.sentences:
        return None
    chosen = answer.sentences[answer.chosen]
    return {
        "sentences": [sentence.source.strip() for sentence in answer.sentences],
        "chosen": answer.chosen,
        "hypotheses": hypotheses(chosen),
        **(picture(answer.explanation) if answer.explanation is not None else {}),
    }


def hypotheses(translation: Translation) -> list[dict[str, Any]]:
    """The n-best list, best first."""
    return [
        {
            "text": candidate.text,
            "score": round(candidate.score, 3),
            "log_prob": round(candidate.log_prob, 3),
            "probability": float(f"{math.exp(min(0.0, candidate.log_prob)):.3g}"),
            "finished": bool(candidate.finished),
        }
        for candidate in translation.hypotheses
    ]


def picture(explanation: Explanation) -> dict[str, Any]:
    """Attention and, where they were asked for, memory cells of one sentence."""
    cells = explanation.cells
    return {
        "source": list(explanation.source),
        "target": list(explanation.target),
        "probability": np.round(np.exp(np.asarray(explanation.log_probs)), 3).tolist(),
        "attention": np.round(np.asarray(explanation.attention, np.float64), 3).tolist(),
        "memory": memory(np.asarray(cells.encoder, np.float32)) if cells is not None else [],
    }


def memory(encoder: np.ndarray) -> list[dict[str, Any]]:
    """Forget gate and cell state of each encoder layer and direction.

    Of all units the `UNITS` whose cell state varies most are kept, in the order of the piece at which each holds most:
    what is stored early stands at the top. `low` is the forget gate that is drawn as nothing, `scale` the cell state
    that is drawn in full.

    Arguments:
        encoder: (L, 2, 6, S, D/2).
    """
    pictures = []
    for layer, directions in enumerate(encoder, 1):
        for direction, cell in zip(DIRECTIONS, directions, strict=True):
            forget, state = cell[FORGET], cell[STATE]  # (S, D/2)
            rows = np.argsort(-state.var(axis=0), kind="stable")[:UNITS]
            rows = rows[np.argsort(np.abs(state[:, rows]).argmax(axis=0), kind="stable")]
            low = min(math.floor(10 * float(np.quantile(forget[:, rows], 0.01))) / 10, 0.9)
            scale = max(float(np.quantile(np.abs(state[:, rows]), 0.99)), 1e-6)
            pictures.append(
                {
                    "layer": layer,
                    "direction": direction,
                    "units": state.shape[1],
                    "rows": len(rows),
                    "low": low,
                    "scale": round(scale, 2),
                    "forget": _bytes((forget[:, rows].T - low) / (1.0 - low)),
                    "cell": _bytes(0.5 + 0.5 * state[:, rows].T / scale),
                    "kept": np.round(forget.mean(axis=1), 3).tolist(),
                    "dropped": (forget < 0.5).sum(axis=1).tolist(),
                    "stored": np.round(np.abs(state).mean(axis=1), 3).tolist(),
                }
            )
    return pictures


def _bytes(values: np.ndarray) -> str:
    """Numbers from 0 to 1 as bytes from 0 to 255, in base64."""
    return base64.b64encode(np.round(255 * np.clip(values, 0.0, 1.0)).astype(np.uint8).tobytes()).decode("ascii")
