"""What a server holds its clients to, and how many processes answer; checked when it is made.

It knows numbers; who enforces them are the door, the API and the service.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seq2seq.web.keys import Keys

TIMEOUT = 60.0
"""Seconds that a request may take."""
MAX_WORKERS = 64


class RulesError(ValueError):
    """No server can hold to this."""


@dataclass(frozen=True)
class Rules:
    """What a server holds its clients to.

    Arguments:
        timeout: seconds until an answer must begin, and between any two parts of it.
        rate: requests a minute for each client; None is as many as it likes.
        proxy: whether a proxy stands before the server and names its clients.
        keys: the tokens that open the server; None leaves it open.
        json_log: whether each request is one line of JSON on stderr.
        local: whether only this machine is listened to, under its own names.
        workers: processes that answer.

    Raises:
        RulesError: a number is outside its range.
    """

    timeout: float = TIMEOUT
    rate: float | None = None
    proxy: bool = False
    keys: Keys | None = None
    json_log: bool = False
    local: bool = False
    workers: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.timeout <= 3600:
            raise RulesError(f"The timeout must be from 0 to 3,600 seconds. Received: {self.timeout:g}")
        if self.rate is not None and not 1 <= self.rate <= 1_000_000:
            raise RulesError(f"The rate must be from 1 to 1,000,000 requests a minute. Received: {self.rate:g}")
        if not 1 <= self.workers <= MAX_WORKERS:
            raise RulesError(f"The workers must be from 1 to {MAX_WORKERS}. Received: {self.workers}")

    @property
    def patience(self) -> float:
        """Seconds that a request may wait to be begun: where more comes than can be done in time, all would be begun
        and nothing finished.
        """
        return self.timeout / 2


DEFAULT = Rules()
"""Of a server that is told nothing else."""
