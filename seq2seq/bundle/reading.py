"""Opening a model folder: every file is there, is a plain file, and is the one that was written.

It compares files with the manifest; it does not know what they mean.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from seq2seq.bundle import manifest as manifests
from seq2seq.bundle.manifest import MANIFEST, BundleError, File, Member
from seq2seq.bundle.staging import mend
from seq2seq.calibration import Calibration
from seq2seq.config import Config

_LARGEST_MANIFEST = 4 << 20
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Bundle:
    """A model folder whose manifest has been checked.

    Every file was seen to be there in its right size. Its digest is checked at the latest when the file is opened
    through `read` or `file`.

    Arguments:
        path: the folder.
        config: the resolved configuration that the model was made with; that of the first member of an ensemble.
        provenance: how the model was made; plain JSON.
        scores: measured results, each with its test set and signature; plain JSON.
        files: size and SHA-256 digest of every file, by name.
        members: the models of an ensemble; none where the folder holds a single model.
        calibration: how sure a translation is by its probability; None where it was not measured.
        digest: of the manifest, and so of all that it promises; it tells two models apart.

    Raises:
        BundleError: a file is not in the manifest, cannot be read, or is not the one that was written.
    """

    path: Path
    config: Config
    provenance: dict[str, Any]
    scores: list[dict[str, Any]]
    files: Mapping[str, File]
    members: tuple[Member, ...] = ()
    calibration: Calibration | None = None
    digest: str = ""
    _verified: set[str] = field(default_factory=set, repr=False, compare=False)
    _held: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The folder's name, or the run folder's."""
        path = self.path.resolve()
        return path.parent.name if path.name == "model" else path.name

    @property
    def source_language(self) -> str:
        """Language code of what the model reads."""
        return self.config.source_language

    @property
    def target_language(self) -> str:
        """Language code of what the model writes."""
        return self.config.target_language

    @property
    def tokenizers(self) -> tuple[str, str]:
        """The tokenizer files of the source and the target; the same one twice when the vocabulary is joint."""
        if "tokenizer.model" in self:
            return "tokenizer.model", "tokenizer.model"
        return "tokenizer.source.model", "tokenizer.target.model"

    def __contains__(self, name: str) -> bool:
        return name in self.files

    def read(self, name: str) -> bytes:
        """The content of a file; the bytes returned are the very bytes that were checked."""
        if name in self._held:
            return self._held[name]
        promised = self._promised(name)
        try:
            with open(self.path / name, "rb") as file:
                content = file.read(promised.size + 1)
        except OSError as error:
            raise _unreadable(self.path / name, error) from None
        self._compare(name, len(content), hashlib.sha256(content).hexdigest())
        return content

    def made(self, name: str, make: Callable[[bytes], _Made]) -> _Made:
        """What is made of the content of a file; where that raises a ValueError, it is the file that is broken."""
        content = self.read(name)
        try:
            return make(content)
        except ValueError as error:
            raise BundleError(f"{error}, in {self.path / name}") from None

    def hold(self, *names: str) -> None:
        """Reads files now: `read` gives the same bytes from then on, and forks of this process share them."""
        self._held.update((name, self.read(name)) for name in names)

    def file(self, name: str) -> Path:
        """The path of a file that was unhurt when it was first asked for."""
        self._promised(name)
        path = self.path / name
        if name not in self._verified:
            try:
                with open(path, "rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                    size = file.tell()
            except OSError as error:
                raise _unreadable(path, error) from None
            self._compare(name, size, digest)
        return path

    def contents(self) -> dict[str, Any]:
        """What `write` takes to write the same folder again; every file has been checked."""
        return {
            "config": self.config,
            "files": {name: self.file(name) for name in self.files},
            "provenance": self.provenance,
            "scores": self.scores,
            "members": self.members,
            "calibration": self.calibration,
        }

    def verify(self) -> None:
        """Checks the digest of every file that has not been opened yet."""
        for name in self.files:
            self.file(name)

    def _promised(self, name: str) -> File:
        if name not in self.files:
            raise BundleError(f"A model folder must hold {name} for this. Received: {self.path}, which has none")
        return self.files[name]

    def _compare(self, name: str, size: int, digest: str) -> None:
        promised, path = self.files[name], self.path / name
        if size != promised.size:
            raise _wrong_size(path, promised.size, size)
        if digest != promised.sha256:
            raise BundleError(f"A file of a model folder must have its checksum. Received: {path}, which was altered")
        self._verified.add(name)


def load(path: str | Path, *, verify: bool = True) -> Bundle:
    """Opens a model folder, or the one that a run folder holds under `model`.

    The manifest is checked first, then that every file is there in its right size, then every digest. With
    `verify=False` a digest is checked when its file is first opened instead, so that translating does not wait for the
    checksum of weights that it never reads (SHA-256 takes about 4 ms a megabyte where the processor has no
    instructions for it).

    Raises:
        BundleError: the folder is missing, incomplete, altered or of a newer format.
    """
    folder = _find(Path(path))
    manifest = manifests.parse(sealed(folder), str(folder / MANIFEST))
    for name, promised in manifest.files.items():
        size = _plain_size(folder / name)
        if size != promised.size:
            raise _wrong_size(folder / name, promised.size, size)
    bundle = Bundle(folder, **msgspec.structs.asdict(manifest))
    if verify:
        bundle.verify()
    return bundle


def sealed(folder: Path) -> bytes:
    """The manifest as it lies in a folder.

    Raises:
        BundleError: there is none, or it is no plain file that can be read.
    """
    place = folder / MANIFEST
    _plain_size(place)
    try:
        with open(place, "rb") as file:
            return file.read(_LARGEST_MANIFEST)
    except OSError as error:
        raise _unreadable(place, error) from None


def _find(path: Path) -> Path:
    folders = (path, path / "model")
    if not any(_is_there(folder / MANIFEST) for folder in folders):
        for folder in folders:
            mend(folder)
    for folder in folders:
        if _is_there(folder / MANIFEST):
            return folder
    if os.path.isdir(path):
        raise BundleError(f"A model folder must hold {MANIFEST}. Received: {path}, which does not")
    if os.path.exists(path):
        raise BundleError(f"A model must be a folder. Received: {path}, which is a file")
    raise BundleError(f"A model must be an existing folder. Received: {path}, which does not exist")


def _is_there(path: Path) -> bool:
    return _status(path) is not None


def _status(path: Path) -> os.stat_result | None:
    """What the system tells of a name; None where there is none, which is not where it may not be told."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as error:
        raise _unreadable(path, error) from None


def _plain_size(path: Path) -> int:
    """The size of a file that is neither a link nor a device; only such a file is safe to open."""
    status = _status(path)
    if status is None:
        raise BundleError(f"A model folder must hold all its files. Received: {path}, which is missing")
    if not stat.S_ISREG(status.st_mode):
        raise BundleError(f"The files of a model folder must be plain files, not links. Received: {path}")
    return status.st_size


def _wrong_size(path: Path, size: int, actual: int) -> BundleError:
    return BundleError(
        f"A file of a model folder must have its size, {size:,} bytes. Received: {path}, {actual:,} bytes"
    )


def _unreadable(path: Path, error: OSError) -> BundleError:
    return BundleError(f"The files of a model folder must be readable. Received: {path} ({error.strerror})")
