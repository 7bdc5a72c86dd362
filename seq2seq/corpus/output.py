"""The folder that a prepared corpus is written to: every file of it is whole, or it is not there.

It owns temporary names, renaming and what a full disk means; it does not know what the files say.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from seq2seq.corpus.errors import OutputError

WORKPLACE = ".preparing"


class Output:
    """Collects files in a hidden folder inside the output folder; `publish` moves them out.

    What was not published is removed, and so is a hidden folder that a killed run left behind.

    Args:
        folder: the output folder, made if it is not there.

    Raises:
        OutputError: the folder cannot be made or written, or the disk is full.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.workplace = self.folder / WORKPLACE

    def __enter__(self) -> Output:
        self._made = [path for path in (self.folder, *self.folder.parents) if not path.exists()]
        self._killed = self.workplace.exists()
        try:
            if self._killed:
                shutil.rmtree(self.workplace)
            self.workplace.mkdir(parents=True)
        except OSError as error:
            raise self._refusal(error) from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        shutil.rmtree(self.workplace, ignore_errors=True)
        if kind is not None:
            for path in self._made:  # innermost first; a folder with something in it stays
                try:
                    path.rmdir()
                except OSError:
                    break
        if isinstance(error, OSError):
            raise self._refusal(error) from None

    def refuse_to_overwrite(self, names: Iterable[str], inputs: Iterable[str | Path | None]) -> None:
        """Makes sure that no file to be written is one that is read, or somebody's own.

        The last name is that of the file which says that the others were written here before; a run that was killed
        leaves its workplace instead.

        Raises:
            OutputError: one is.
        """
        *taken, sign = [self.folder / name for name in names]
        for given in inputs:
            for path in taken:
                if given is not None and path.exists() and Path(given).exists() and path.samefile(given):
                    raise OutputError(f"The output folder must not be where the corpus lies. Received: {path}")
        for path in taken:
            if path.exists() and not sign.exists() and not self._killed:
                must = "The output folder must be new, or that of an earlier preparation"
                raise OutputError(f"{must}. Received: {path}, which would be replaced")

    def publish(self, names: Iterable[str], stale: Iterable[str]) -> None:
        """Moves finished files to their place, the last one last; older files of the stale names are removed before."""
        names = list(names)
        for name in names:
            with (self.workplace / name).open("rb") as file:
                os.fsync(file.fileno())
        for name in (names[-1], *stale):
            (self.folder / name).unlink(missing_ok=True)
        for name in names:
            (self.workplace / name).replace(self.folder / name)

    def _refusal(self, error: OSError) -> OutputError:
        detail = error.strerror or type(error).__name__
        return OutputError(f"The output folder must be writable and have room. Received: {self.folder} ({detail})")
