"""The manifest: what a model folder holds, sealed with a digest of itself.

It turns values into the manifest's bytes and back, and refuses bytes that were altered; it opens no file.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from seq2seq import config as configuration
from seq2seq.calibration import Calibration
from seq2seq.config import Config, ConfigError

FORMAT = 1
"""Version of the folder's layout that this code writes, and the newest that it reads."""
MANIFEST = "manifest.json"
GRAPH = "model.tflite"
"""The compiled graph."""
SIGNATURES = ("translate", "constrained", "explain")
"""What a folder's graph can be asked for."""
LATER = ("gradient",)
"""What it can be asked for too, unless it is of an older model or of an ensemble."""

# Every manifest begins with its own digest, whatever its format, so that it can be checked before it is believed.
# The digest is that of the whole file with the digest's place filled with zeros.
_SEAL = b'{\n  "digest": "'
_BLANK = b"0" * 64
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class BundleError(ValueError):
    """A model folder is missing, incomplete, altered or too new."""


class SaveError(ValueError):
    """A model folder cannot be written."""


class File(msgspec.Struct, frozen=True):
    """What the manifest promises of one file."""

    size: int
    sha256: str


class Member(msgspec.Struct, frozen=True):
    """One model of an ensemble, as its own folder describes it."""

    name: str
    prefix: str
    """What the names of its weights begin with among those of all members."""
    config: Config
    provenance: dict[str, Any]
    scores: list[dict[str, Any]]

    def own(self, weights: Mapping[str, Any]) -> dict[str, Any]:
        """Its weights of all members', under the names that they have in a model of its own."""
        return {name.removeprefix(self.prefix): w for name, w in weights.items() if name.startswith(self.prefix)}


class _Head(msgspec.Struct):
    format: int


class _Listing(_Head):
    digest: str
    files: dict[str, File]


class _Body(msgspec.Struct):
    config: dict[str, Any]
    provenance: dict[str, Any]
    scores: list[dict[str, Any]]
    files: dict[str, File]
    members: tuple[Member, ...] = ()
    calibration: Calibration | None = None


class Manifest(msgspec.Struct, frozen=True):
    """The content of a manifest, validated."""

    digest: str
    config: Config
    provenance: dict[str, Any]
    scores: list[dict[str, Any]]
    files: dict[str, File]
    members: tuple[Member, ...]
    calibration: Calibration | None


def is_plain_name(name: str) -> bool:
    """Whether a name can only mean a file in the folder itself, on any system, and not the manifest."""
    return bool(_NAME.fullmatch(name)) and name != MANIFEST


def seal(
    config: Config,
    files: Mapping[str, File],
    *,
    provenance: Mapping[str, Any],
    scores: Sequence[Mapping[str, Any]],
    members: Sequence[Member] = (),
    calibration: Calibration | None = None,
) -> bytes:
    """The bytes of a manifest; one without members or calibration does not speak of them.

    Raises:
        SaveError: provenance or scores are not plain JSON.
    """
    content = {
        "digest": _BLANK.decode(),
        "format": FORMAT,
        "config": msgspec.to_builtins(config),
        "provenance": dict(provenance),
        "scores": list(scores),
        "files": {name: msgspec.to_builtins(promised) for name, promised in files.items()},
        **({"members": msgspec.to_builtins(members)} if members else {}),
        **({"calibration": msgspec.to_builtins(calibration)} if calibration else {}),
    }
    try:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SaveError(f"Provenance and scores must be plain JSON. Received: {error}") from None
    raw = text.encode("utf-8", errors="replace") + b"\n"
    return raw.replace(_BLANK, hashlib.sha256(raw).hexdigest().encode(), 1)


def names(raw: bytes, place: str) -> frozenset[str]:
    """The files that a manifest names, be it altered or of a newer format.

    Raises:
        BundleError: the bytes are no manifest of a model folder.
    """
    try:
        return frozenset(msgspec.json.decode(raw, type=_Listing).files)
    except _UNREADABLE:
        raise BundleError(f"A manifest must have a digest, a format number and files. Received: {place}") from None


def parse(raw: bytes, place: str) -> Manifest:
    """The content of a manifest's bytes; `place` is named in messages.

    Raises:
        BundleError: the bytes are no manifest, were altered, are of a newer format, or hold what must not be.
    """
    try:
        found = msgspec.json.decode(raw, type=_Head).format
    except _UNREADABLE:
        raise BundleError(f"A manifest must be a JSON object with a format number. Received: {place}") from None
    whole = _is_whole(raw)
    if found > FORMAT:
        doubt = "" if whole else "; its checksum is wrong too, so it may be damaged instead"
        raise BundleError(
            f"A model folder must be of format {FORMAT} or older; upgrade seq2seq to read a newer one."
            f" Received: {place}, format {found}{doubt}"
        )
    if not whole:
        raise BundleError(
            f"A manifest must have the checksum that it begins with. Received: {place}, which was altered"
        )
    try:
        body = msgspec.json.decode(raw, type=_Body)
    except _UNREADABLE as error:
        raise BundleError(f"A manifest must hold all that format {FORMAT} has. Received: {place} ({error})") from None
    for name in body.files:
        if not is_plain_name(name):
            raise BundleError(f"A manifest must name files beside it. Received: {place}, which names {name!r}")
    try:
        config = configuration.build(body.config)
    except ConfigError as error:
        raise BundleError(f"A model folder must hold a valid configuration. Received: {place} ({error})") from None
    digest = raw[len(_SEAL) : len(_SEAL) + len(_BLANK)].decode()
    return Manifest(digest, config, body.provenance, body.scores, body.files, body.members, body.calibration)


def _is_whole(raw: bytes) -> bool:
    start, end = len(_SEAL), len(_SEAL) + len(_BLANK)
    digest = hashlib.sha256(raw[:start] + _BLANK + raw[end:]).hexdigest()
    return raw.startswith(_SEAL) and raw[start:end] == digest.encode()
