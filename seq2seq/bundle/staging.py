"""The hidden folder in which a folder is made before it gets its name, and what killed processes left of theirs.

It owns their names and who has them; it does not know what is made in them.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from seq2seq.holding import held

FREE = "a new or empty folder, neither the current nor a mounted one"
"""What `is_free` is true of."""
_NEW, _OLDER = "new", "older"


@contextlib.contextmanager
def staged(target: Path) -> Iterator[Path]:
    """While entered there is a place for a new folder, to be made there and renamed; what is left is removed after.

    An older folder that was moved aside for it comes back where the new one did not get its name. What killed processes
    left of the same name is mended first.
    """
    mend(target)
    hidden = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    with contextlib.ExitStack() as stack:
        stack.callback(_clear, hidden, target)  # sooner than it is made: a signal may come right then
        hidden.mkdir()
        with contextlib.suppress(OSError):  # not every disk can; then no other process touches the folder
            stack.enter_context(held(hidden))
        yield hidden / _NEW


def replace(new: Path, target: Path) -> None:
    """Gives a new folder from `staged` the name of the target; an older one moves aside."""
    if target.exists():
        os.rename(target, new.with_name(_OLDER))
    os.rename(new, target)


def is_free(path: Path) -> bool:
    """Whether a new folder may have this name, or the one that it leads to as a link: `settle` could take it."""
    place = Path(os.path.realpath(path))
    if not os.path.lexists(place):
        return True
    empty = place.is_dir() and not any(place.iterdir())
    return empty and not os.path.ismount(place) and not os.path.samefile(place, os.curdir)


def settle(new: Path, target: Path) -> None:
    """Gives a new folder from `staged` the name of the target, no link, where there is nothing or an empty folder."""
    if target.exists():
        target.rmdir()
    os.replace(new, target)


def mend(target: Path) -> None:
    """Puts back an older folder whose process was killed before the new one had its name, and removes what else
    killed processes left. What a living one is at stays as it is."""
    with contextlib.suppress(OSError, ValueError):  # there is no such folder, nor can there be
        target = Path(os.path.realpath(target))
        name = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{8}}\.partial")
        for hidden in [path for path in target.parent.iterdir() if name.fullmatch(path.name)]:
            with contextlib.suppress(OSError):  # somebody has it, or it is not ours to change
                if not any(hidden.iterdir()):
                    continue  # it may be so new that its process does not hold it yet
                with held(hidden):
                    _clear(hidden, target)


def _clear(hidden: Path, target: Path) -> None:
    """Removes a hidden folder; an older one in it gets its name back if the new one never had it."""
    if (hidden / _NEW).exists() and (hidden / _OLDER).exists() and not os.path.lexists(target):
        os.rename(hidden / _OLDER, target)
    shutil.rmtree(hidden, ignore_errors=True)
