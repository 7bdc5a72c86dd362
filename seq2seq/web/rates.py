"""How often each client may ask: a bucket of wishes for each address, filled evenly.

It knows addresses and seconds; it does not know what is asked for.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import Scope

CLIENTS = 10_000
"""Most clients that are remembered; the one that asked longest ago is forgotten first."""


class Rates:
    """A client may ask as many times at once as it may in a minute; after that, as often as its bucket fills again.

    Arguments:
        rate: wishes a minute.
        clock: gives seconds.
    """

    def __init__(self, rate: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str) -> float:
        """Counts a wish; 0 if the client may ask, else seconds until it may, and then nothing is counted."""
        now = self._clock()
        left, since = self._buckets.pop(client, (self._rate, now))
        left = min(self._rate, left + (now - since) * self._rate / 60)
        allowed = left >= 1
        self._buckets[client] = (left - allowed, now)
        while len(self._buckets) > CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - left) * 60 / self._rate


def client(scope: Scope, *, proxy: bool = False) -> str:
    """The address that a request comes from; of IPv6 the network of a customer, for one has 2**64 addresses.

    Arguments:
        scope: of the request.
        proxy: whether a proxy stands before the server, which names the address last in `x-forwarded-for`.

    >>> client({"headers": [(b"x-forwarded-for", b"10.9.9.9, 192.0.2.7")], "client": ("127.0.0.1", 5)}, proxy=True)
    '192.0.2.7'
    >>> client({"headers": [(b"x-forwarded-for", b"192.0.2.7")], "client": ("2001:db8::5", 5)})
    '2001:db8::/64'
    """
    address = (scope.get("client") or ("",))[0]
    if proxy:
        named = ",".join(Headers(scope=scope).getlist("x-forwarded-for")).rpartition(",")[2].strip()
        address = named or address
    if address.startswith("["):
        address = address[1:].partition("]")[0]
    elif address.count(":") == 1:  # some proxies add the port
        address = address.partition(":")[0]
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((known, 64), strict=False))
