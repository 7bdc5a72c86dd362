"""Arrays as JSON and back without loss: short ones as decimals, long ones as bytes.

It does not know what they mean.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np


def decimals(array: np.ndarray) -> Any:
    """Nested lists of the shortest decimals that mean the same float32."""
    return np.asarray(array, np.float32).astype("U32").astype(np.float64).tolist()


def floats(plain: Any) -> np.ndarray:
    """`decimals` backwards."""
    return np.array(plain, np.float32)


def packed(array: np.ndarray) -> dict[str, Any]:
    """`{"shape": [...], "float32": base64 of little-endian bytes}`."""
    content = np.ascontiguousarray(array, "<f4").tobytes()
    return {"shape": list(array.shape), "float32": base64.b64encode(content).decode("ascii")}


def unpacked(plain: dict[str, Any]) -> np.ndarray:
    """`packed` backwards."""
    content = base64.b64decode(plain["float32"], validate=True)
    return np.frombuffer(content, "<f4").reshape(plain["shape"]).astype(np.float32)
