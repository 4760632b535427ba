"""Creates jobs from one thread.

Submissions that come together share one round trip, and one wait for Redis' disk.
"""

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass, field

from api.coalescer import Coalescer
from shared.errors import TesseraError
from shared.store.job_store import JobStore
from shared.store.values import Created, Idempotency, NewJob


@dataclass(frozen=True)
class _Waiting:
    new: NewJob
    idempotency: Idempotency | None
    created: Future[Created] = field(default_factory=Future)


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
        return await asyncio.wrap_future(waiting.created)

    def _create_all(self, batch: list[_Waiting]) -> None:
        # Whoever does not wait any more, since the server stops, is left out.
        batch = [one for one in batch if one.created.set_running_or_notify_cancel()]
        try:
            outcomes = self._store.create_many([(one.new, one.idempotency) for one in batch])
        except Exception as error:  # noqa: BLE001 - the thread lives on; it is the callers' error
            for one in batch:
                one.created.set_exception(error)
            return
        for one, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, TesseraError):
                one.created.set_exception(outcome)
            else:
                one.created.set_result(outcome)
