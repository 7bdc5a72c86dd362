"""Writing a model folder: whole or absent, whatever happens on the way.

It stores bytes and seals them; it does not know what they mean.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seq2seq.bundle.manifest import MANIFEST, File, Member, SaveError, is_plain_name, seal
from seq2seq.bundle.reading import Bundle, load
from seq2seq.bundle.staging import replace, staged
from seq2seq.calibration import Calibration
from seq2seq.config import Config


def write(
    path: str | Path,
    *,
    config: Config,
    files: Mapping[str, bytes | Path],
    provenance: Mapping[str, Any],
    scores: Sequence[Mapping[str, Any]],
    members: Sequence[Member] = (),
    calibration: Calibration | None = None,
) -> Bundle:
    """Writes a model folder, in the place of an older model if there is one.

    1. Everything goes to a hidden folder beside it and is flushed to the disk.
    2. An older model is moved aside, the new one gets its name, and the older one is removed.

    When anything fails the hidden folder is removed and an older model stays as it was; what a killed process leaves
    is mended by the next one that writes or loads the model.

    Arguments:
        files: content, or the path of a file to copy, by name.
        provenance, scores: plain JSON.
        members: the models that an ensemble is made of.
        calibration: how sure a translation is by its probability, if that was measured.

    Raises:
        SaveError: the folder cannot be written, or something that is no model lies in its place.
    """
    for name in files:
        if not is_plain_name(name):
            raise SaveError(f"A file of a model folder must have a plain name. Received: {name!r}")
    target = Path(os.path.realpath(path))
    try:
        _check_replaceable(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        with staged(target) as new:
            new.mkdir()
            written = {name: _store(new / name, content) for name, content in files.items()}
            sealed = seal(
                config, written, provenance=provenance, scores=scores, members=members, calibration=calibration
            )
            _store(new / MANIFEST, sealed)
            _flush(new)
            replace(new, target)
            _flush(target.parent)
    except OSError as error:
        raise SaveError(f"A model folder must be writable whole. Received: {target} ({error.strerror})") from error
    return load(target, verify=False)


def _check_replaceable(target: Path) -> None:
    if not os.path.lexists(target) or (target.is_dir() and not any(target.iterdir())):
        return
    if not (target / MANIFEST).is_file():
        raise SaveError(f"A model must be written to a new folder or over an older model. Received: {target}")


def _store(path: Path, content: bytes | Path) -> File:
    digest = hashlib.sha256()
    size = 0
    with open(path, "xb") as sink:
        if isinstance(content, Path):
            with open(content, "rb") as source:
                while block := source.read(1 << 20):
                    digest.update(block)
                    size += sink.write(block)
        else:
            digest.update(content)
            size = sink.write(content)
        sink.flush()
        os.fsync(sink.fileno())
    return File(size, digest.hexdigest())


def _flush(folder: Path) -> None:
    """Puts the names in a folder on the disk, where the system has a way to (Windows has none)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
