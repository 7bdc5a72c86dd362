"""A connection with a Ray cluster: the one that is named, the one that runs here, or a new one of this machine.

It owns how one is found and what is said where none answers; it does not know what runs in it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

ADDRESS = "RAY_ADDRESS"
QUIET = {"logging_level": logging.ERROR, "log_to_driver": False}


class ClusterError(ValueError):
    """There is no such cluster, it cannot be started, or work was lost in it."""


@contextlib.contextmanager
def connected(count: int, say: Callable[[str], None]) -> Iterator[Any]:
    """While entered, this process is connected with a cluster; gives the module `ray`.

    Arguments:
        count: workers that a cluster which must be started has room for.
        say: called with what the user should know.

    Raises:
        ImportError: Ray is not installed.
        ClusterError: no cluster is where RAY_ADDRESS says, or none can be started.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray

    if ray.is_initialized():
        yield ray
        return
    address = os.environ.get(ADDRESS)
    try:
        _reach(address or "")
        with _same_signals():
            ray.init("auto", **QUIET)
    except (OSError, RuntimeError, ValueError) as error:
        if address or not isinstance(error, ConnectionError):
            raise ClusterError(
                f"{ADDRESS} must name a cluster that runs with this version of Ray and Python, and with this token. "
                f"Received: {address or 'none, and on this machine one'} ({gist(error)})"
            ) from error
        say("no Ray cluster runs here; the workers share this machine")
        try:
            with _same_signals():
                ray.init("local", num_cpus=max(count, os.cpu_count() or 1), include_dashboard=False, **QUIET)
        except Exception as error:  # of that very class
            raise ClusterError(f"Ray must be able to start on this machine. Received: {gist(error)}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


@contextlib.contextmanager
def _same_signals() -> Iterator[None]:
    """Afterwards signals mean what they meant before: Ray ends the process at SIGTERM, whatever else would be said."""
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for each, handler in before.items():
                signal.signal(each, handler)


def gist(error: Exception) -> str:
    """What an error says: some of Ray's have a traceback of another machine before it, and advice behind it."""
    return "".join(str(error).strip().splitlines()[-1:]).partition(". ")[0]


def _reach(address: str) -> None:
    """Raises OSError where nothing listens at HOST:PORT; Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
