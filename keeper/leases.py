"""Takes jobs back from workers that are gone, and ends those whose deadline has passed."""

import logging
import threading
from collections import Counter
from collections.abc import Callable

from keeper.metrics import KeeperMetrics
from shared.job import JobStatus
from shared.queue import Lane
from shared.store.job_store import JobStore

log = logging.getLogger(__name__)


class LeaseKeeper:
    """Speaks to the durable server alone, so that nothing else delays it: a pause between two
    rounds makes the store give every lease a fresh term.
    """

    def __init__(
        self, store: JobStore, metrics: KeeperMetrics, on_requeued: Callable[[], None]
    ) -> None:
        """`on_requeued` is called when there are tickets to be taken over."""
        self._store = store
        self._metrics = metrics
        self._on_requeued = on_requeued
        self._tickets: Counter[Lane] = Counter()
        self._lock = threading.Lock()

    def take_tickets(self) -> Counter[Lane]:
        """The tickets that requeued jobs want, handed over once."""
        with self._lock:
            tickets, self._tickets = self._tickets, Counter()
            return tickets

    def sweep(self) -> None:
        """One round."""
        reaped = self._store.reap()
        self._metrics.leases_reaped.labels("lease_expired").inc(
            len(reaped.requeued) + len(reaped.failed)
        )
        if reaped.requeued or reaped.failed:
            log.warning(
                "leases ran out", extra={"requeued": reaped.requeued, "failed": reaped.failed}
            )
        if reaped.tickets:
            with self._lock:
                self._tickets.update(reaped.tickets)
            self._on_requeued()
        expired = self._store.expire_due()
        for status, ids in ((JobStatus.FAILED, reaped.failed), (JobStatus.EXPIRED, expired)):
            for job_id in ids:
                job = self._store.get(job_id)
                if job is not None:
                    self._metrics.jobs_finished.labels(job.request.model, status).inc()
