"""Model folders to a model hub and back, through huggingface_hub: pushed whole, pulled whole and proven.

It moves the files that a manifest names and no others; it does not know what they mean.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq import __version__, bundle
from seq2seq.bundle import MANIFEST, BundleError
from seq2seq.bundle import manifest as manifests

_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
_LARGEST_MANIFEST = 4 << 20


class HubError(ValueError):
    """The hub cannot be reached, refuses, or has not what was asked for."""


@dataclass(frozen=True)
class Pushed:
    """Where a model folder went."""

    revision: str
    """The commit, which `pull` takes."""
    address: str


@dataclass(frozen=True)
class Pulled:
    """What came from where."""

    path: Path
    revision: str
    """The commit that a branch or a tag stood for."""


def push(model: str | Path, repository: str, *, private: bool = False) -> Pushed:
    """Puts a model folder on the hub in one commit: the manifest, the files that it names, nothing else.

    The model card is the folder's README.md. Files of an older model that the new one has not stay there; `pull` does
    not look at them.

    Arguments:
        model: a model folder, or the run folder that holds one.
        repository: "owner/name"; made if it is not there.
        private: whether a repository that is made is hidden from others.

    Raises:
        BundleError: the folder is not whole.
        HubError: the hub cannot be reached or refuses.
    """
    _check_name(repository)
    loaded = bundle.load(model)
    contents = {name: loaded.read(name) for name in loaded.files}
    contents[MANIFEST] = (loaded.path / MANIFEST).read_bytes()
    if manifests.parse(contents[MANIFEST], str(loaded.path / MANIFEST)).digest != loaded.digest:
        raise BundleError(f"A model folder must stay as it is while it is pushed. Received: {loaded.path}")
    with _sentences(repository) as hub:
        api = _api(hub)
        api.create_repo(repository, private=private, exist_ok=True)
        with warnings.catch_warnings(action="ignore"):  # the hub would have a name for every licence that is "other"
            commit = api.create_commit(
                repository,
                [hub.CommitOperationAdd(name, content) for name, content in contents.items()],
                commit_message=f"{loaded.source_language} to {loaded.target_language}, {loaded.digest:.16}",
            )
        return Pushed(commit.oid, f"{api.endpoint}/{repository}")


def pull(repository: str, output: str | Path, *, revision: str | None = None) -> Pulled:
    """Brings a model folder from the hub, whole or not at all.

    1. The revision becomes a commit, so that all files are of one state.
    2. The manifest is read; what it names must be there in its size. Nothing else is loaded.
    3. The files come to a hidden folder beside the output as plain files, and every checksum is verified.

    Arguments:
        output: the folder to make; new, or empty.
        revision: a branch, a tag or a commit; None is the main branch.

    Raises:
        BundleError: what came is no whole model folder.
        HubError: the hub cannot be reached or has no such model, or the output is in use.
    """
    _check_name(repository)
    output = Path(output)
    if not bundle.is_free(output):
        raise HubError(f"A model must be pulled to {bundle.FREE}. Received: {output}")
    place = Path(os.path.realpath(output))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with bundle.staged(place) as model:
            model.mkdir()
            with _sentences(repository, revision) as hub:
                commit = _download(_api(hub), repository, revision, model, model.with_name("work"))
            _verify(model, repository)
            bundle.settle(model, place)
    except OSError as error:
        raise HubError(f"A model must be writable whole. Received: {output} ({error.strerror or error})") from None
    return Pulled(output, commit)


def _download(api: Any, repository: str, revision: str | None, model: Path, work: Path) -> str:
    """All files of a model into a folder of their own; `work` is where the client keeps its notes."""
    info = api.model_info(repository, revision=revision, files_metadata=True)
    sizes = {each.rfilename: each.size for each in info.siblings or ()}

    def fetch(name: str) -> Path:
        """A plain file, whatever the client made: its cache is of links, which a model folder must not hold."""
        place = api.hf_hub_download(repository, name, revision=info.sha, local_dir=work)
        return shutil.copyfile(place, model / name)

    if not 0 < (sizes.get(MANIFEST) or 0) <= _LARGEST_MANIFEST:
        raise HubError(f"A repository must hold a model folder, with {MANIFEST}. Received: {repository}")
    manifest = manifests.parse(fetch(MANIFEST).read_bytes(), f"{repository}/{MANIFEST}")
    for name, promised in manifest.files.items():
        if sizes.get(name) != promised.size:
            size = "none" if sizes.get(name) is None else f"{sizes[name]:,} bytes"
            raise BundleError(
                f"A file of a model folder must have its size, {promised.size:,} bytes. "
                f"Received: {repository}/{name}, {size}"
            )
    for name in manifest.files:
        fetch(name)
    return info.sha


def _verify(folder: Path, repository: str) -> None:
    try:
        bundle.load(folder)
    except BundleError as error:
        raise BundleError(str(error).replace(str(folder), repository)) from None


def _check_name(repository: str) -> None:
    if not _REPOSITORY.fullmatch(repository):
        raise HubError(f"A repository must be named owner/name. Received: {repository!r}")


def _api(hub: Any) -> Any:
    return hub.HfApi(library_name="seq2seq", library_version=__version__)


@contextlib.contextmanager
def _sentences(repository: str, revision: str | None = None) -> Iterator[Any]:
    """The client's package; what it raises becomes one sentence."""
    try:
        import huggingface_hub as hub
        from huggingface_hub import constants, errors
    except ImportError:
        raise ImportError("The hub needs huggingface_hub: pip install 'seq2seq[hub]'") from None
    try:
        yield hub
    except (errors.RevisionNotFoundError, errors.EntryNotFoundError) as error:
        if isinstance(error, errors.LocalEntryNotFoundError):
            raise _unreachable(constants.ENDPOINT, error) from None
        raise HubError(
            f"A revision must be a branch, a tag or a commit of {repository}. Received: {revision}"
        ) from None
    except errors.RepositoryNotFoundError:
        raise HubError(
            f"A repository must be there for whoever is logged in (hf auth login). Received: {repository}"
        ) from None
    except errors.HfHubHTTPError as error:
        told = error.server_message or _first_line(error)
        raise HubError(f"The hub must accept what is asked of it. Received: {repository} ({told})") from None
    except (errors.HTTPError, ConnectionError) as error:
        raise _unreachable(constants.ENDPOINT, error) from None
    except ValueError as error:
        if isinstance(error, BundleError | HubError):
            raise
        told = " ".join(str(error).split())[:300]
        raise HubError(f"The hub must accept what is asked of it. Received: {repository} ({told})") from None


def _unreachable(address: str, error: BaseException) -> HubError:
    return HubError(f"The hub must be reachable. Received: {address} ({_first_line(error)})")


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:200]
