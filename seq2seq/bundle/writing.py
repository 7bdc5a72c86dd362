"""Writing a model folder: whole or absent, whatever happens on the way.

It stores bytes and seals them; it does not know what they mean.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from seq2seq.bundle.manifest import MANIFEST, BundleError, File, Member, SaveError, is_plain_name, names, seal
from seq2seq.bundle.reading import Bundle, load, sealed
from seq2seq.bundle.staging import mend, replace, staged
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

    1. Everything goes to a hidden folder beside it and is flushed to the disk; so does what lies beside the files of
       the older model, such as notes or a `.git`.
    2. An older model is moved aside, the new one gets its name, and the older one is removed.

    When anything fails the hidden folder is removed and an older model stays as it was; what a killed process leaves
    is mended by the next one that writes or loads the model.

    Arguments:
        files: content, or the path of a file to copy, by name.
        provenance, scores: plain JSON.
        members: the models that an ensemble is made of.
        calibration: how sure a translation is by its probability, if that was measured.

    Raises:
        SaveError: the folder cannot be written, or something that is no model lies in its place, or in that of a file.
    """
    for name in files:
        if not is_plain_name(name):
            raise SaveError(f"A file of a model folder must have a plain name. Received: {name!r}")
    target = Path(os.path.realpath(path))
    try:
        mend(target)
        kept = _beside(target, files)
        target.parent.mkdir(parents=True, exist_ok=True)
        with staged(target) as new:
            new.mkdir()
            written = {name: _store(new / name, content) for name, content in files.items()}
            manifest = seal(
                config, written, provenance=provenance, scores=scores, members=members, calibration=calibration
            )
            _store(new / MANIFEST, manifest)
            for each in kept:
                _keep(each, new / each.name)
            _flush(new)
            replace(new, target)
            _flush(target.parent)
    except OSError as error:
        raise SaveError(
            f"A model folder must be writable whole. Received: {target} ({error.strerror or error})"
        ) from error
    return load(target, verify=False)


def _beside(target: Path, files: Collection[str]) -> list[Path]:
    """What lies in the folder of an older model and is none of its files.

    Raises:
        SaveError: something that is no model lies there, or what would be kept has the name of a new file.
    """
    if not os.path.lexists(target) or (target.is_dir() and not any(target.iterdir())):
        return []
    try:
        own = {MANIFEST, *names(sealed(target), str(target))}
    except BundleError:
        raise SaveError(f"A model must be written to a new folder or over an older model. Received: {target}") from None
    kept = [path for path in target.iterdir() if path.name not in own]
    for path in kept:
        if path.name in files:
            raise SaveError(
                f"A model must not be written over a file that is none of its own; move it away. Received: {path}"
            )
    return kept


def _keep(path: Path, place: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.copytree(path, place, symlinks=True, copy_function=_link)
    else:
        _link(path, place)


def _link(path: str | Path, place: str | Path) -> None:
    """The very file under a second name, for the first goes with the older folder; a copy where there are no links."""
    try:
        os.link(path, place, follow_symlinks=False)
    except (OSError, NotImplementedError):
        shutil.copy2(path, place, follow_symlinks=False)


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
