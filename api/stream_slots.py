"""How many event streams a tenant has open at this gateway, and no more than it may."""

from collections import Counter
from collections.abc import AsyncIterator

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Receive, Scope, Send

from shared.errors import TooManyStreams


class StreamSlots:
    """Lives on the event loop."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: Counter[str] = Counter()

    def take(self, tenant: str) -> None:
        """Count one more. Raises TooManyStreams."""
        if self._open[tenant] >= self._limit:
            raise TooManyStreams("close some of your event streams, or poll")
        self._open[tenant] += 1

    def give_back(self, tenant: str) -> None:
        """Count one less."""
        self._open[tenant] -= 1
        if not self._open[tenant]:
            del self._open[tenant]


class CountedStream(EventSourceResponse):
    """A stream that has a slot until it ends, however it does."""

    def __init__(
        self,
        events: AsyncIterator[ServerSentEvent],
        slots: StreamSlots,
        tenant: str,
        keepalive_seconds: float,
    ) -> None:
        """Raises TooManyStreams."""
        slots.take(tenant)
        super().__init__(events, ping=keepalive_seconds)
        self._slots = slots
        self._tenant = tenant

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and give the slot back."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._slots.give_back(self._tenant)
