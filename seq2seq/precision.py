"""Which numbers a machine trains in: bfloat16 where its processor or its GPU computes in it, else float32.

It owns that choice, and what is known of the processor; it does not know what is computed.
"""

from __future__ import annotations

import platform
import re
from pathlib import Path

import tensorflow as tf


def settled(wanted: str) -> str:
    """What a setting means on this machine, float32 or bfloat16; "auto" is bfloat16 where it computes in it."""
    return ("bfloat16" if computes_bfloat16() else "float32") if wanted == "auto" else wanted


def policy(wanted: str) -> str:
    """The dtype policy of a setting on this machine."""
    return "mixed_bfloat16" if settled(wanted) == "bfloat16" else "float32"


def computes_bfloat16() -> bool:
    """Whether its GPU, or its processor where it has none, multiplies numbers of 16 bits as they are."""
    if gpus := tf.config.get_visible_devices("GPU"):
        details = tf.config.experimental.get_device_details(gpus[0])
        return details.get("compute_capability", (0, 0)) >= (8, 0)
    flags = _cpuinfo().split()
    return "avx512_bf16" in flags or "amx_bf16" in flags


def processor() -> str:
    """Its name, or at least its kind."""
    found = re.search(r"^model name\s*: (.+)$", _cpuinfo(), re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def _cpuinfo() -> str:
    """What Linux says of the processor; nothing elsewhere."""
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
