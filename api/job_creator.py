"""Creates jobs from one thread.

Submissions that come together share one round trip, one wait for Redis' disk, and one way back to
the event loop.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from api.coalescer import Coalescer
from shared.store.job_store import JobStore
from shared.store.values import Created, Idempotency, NewJob


@dataclass(frozen=True)
class _Waiting:
    new: NewJob
    idempotency: Idempotency | None
    created: asyncio.Future[Created] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class JobCreator:
    """`create` waits on the event loop, and takes no thread of the pool."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._coalescer: Coalescer[_Waiting] = Coalescer("creator", self._create_all)
        self.start = self._coalescer.start
        self.stop = self._coalescer.stop

    async def create(self, new: NewJob, idempotency: Idempotency | None) -> Created:
        """As JobStore.create, and raising the same."""
        waiting = _Waiting(new, idempotency)
        self._coalescer.add(waiting)
        return await waiting.created

    def _create_all(self, batch: list[_Waiting]) -> None:
        # Whoever does not wait any more, since the server stops, is left out.
        batch = [one for one in batch if not one.created.done()]
        if not batch:
            return
        outcomes: Sequence[Created | Exception]
        try:
            outcomes = self._store.create_many([(one.new, one.idempotency) for one in batch])
        except Exception as error:  # noqa: BLE001 - the thread lives on; it is the callers' error
            outcomes = [error] * len(batch)
        batch[0].created.get_loop().call_soon_threadsafe(_hand_out, batch, outcomes)


def _hand_out(batch: Sequence[_Waiting], outcomes: Sequence[Created | Exception]) -> None:
    """Tell everybody who still waits; a server that stops ends some before."""
    for one, outcome in zip(batch, outcomes, strict=True):
        if one.created.done():
            continue
        if isinstance(outcome, Exception):
            one.created.set_exception(outcome)
        else:
            one.created.set_result(outcome)
