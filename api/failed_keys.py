"""Who shows wrong keys too often waits: a token bucket for each source address, in this process.

Guessing a key is hopeless; the bucket keeps guesses from becoming load on the job store.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network, ip_address

from shared.errors import RateLimited

FAILURES_AT_ONCE = 20
SECONDS_PER_FAILURE = 3.0
ADDRESSES = 10_000


class FailedKeys:
    """Counts failures by address; used on the event loop alone.

    For each address it keeps the moment at which all its failures are forgotten, for the ADDRESSES
    that failed last.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._forgotten_at: OrderedDict[str, float] = OrderedDict()

    def admit(self, address: str) -> None:
        """Let an unknown key be looked up.

        Raises:
            RateLimited: too many from this address were wrong.
        """
        owed = self._forgotten_at.get(_source(address), 0.0) - self._clock()
        wait = owed - (FAILURES_AT_ONCE - 1) * SECONDS_PER_FAILURE
        if wait > 0:
            raise RateLimited("too many wrong API keys came from your address", retry_after=wait)

    def record(self, address: str) -> None:
        """A key from this address was wrong."""
        source, now = _source(address), self._clock()
        forgotten_at = max(self._forgotten_at.pop(source, now), now) + SECONDS_PER_FAILURE
        self._forgotten_at[source] = forgotten_at
        if len(self._forgotten_at) > ADDRESSES:
            self._forgotten_at.popitem(last=False)


def _source(address: str) -> str:
    """The address, or the /64 that one IPv6 host can take all its addresses from."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(IPv6Network((parsed, 64), strict=False))
    return address
