"""The model folder: a manifest with checksums over the configuration, tokenizers, weights and compiled graph.

It proves that a folder is whole and unhurt, and writes one so that it is whole or absent; it does not know what
the files mean.
"""

from __future__ import annotations

from seq2seq.bundle.manifest import FORMAT, GRAPH, LATER, MANIFEST, SIGNATURES, BundleError, File, Member, SaveError
from seq2seq.bundle.reading import Bundle, load
from seq2seq.bundle.staging import FREE, is_free, mend, settle, staged
from seq2seq.bundle.writing import write

__all__ = [
    "FORMAT",
    "FREE",
    "GRAPH",
    "LATER",
    "MANIFEST",
    "SIGNATURES",
    "Bundle",
    "BundleError",
    "File",
    "Member",
    "SaveError",
    "is_free",
    "load",
    "mend",
    "settle",
    "staged",
    "write",
]
