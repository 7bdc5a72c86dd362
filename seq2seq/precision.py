"""Which numbers a machine trains in: bfloat16 where its processor or its GPU computes in it, else float32.

It owns that choice, and what is known of the processor; it does not know what is computed.
"""

from __future__ import annotations

import platform
import re
from pathlib import Path

import tensorflow as tf


def policy(wanted: str) -> str:
    """The dtype policy for this machine: bfloat16 only where the processor computes in it."""
    if wanted == "float32" or (wanted == "auto" and not _computes_bfloat16()):
        return "float32"
    return "mixed_bfloat16"


def _computes_bfloat16() -> bool:
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
