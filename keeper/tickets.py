"""Replaces tickets that RQ has lost, and measures what waits."""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping

from keeper.metrics import KeeperMetrics
from shared.queue import Lane, TicketQueue
from shared.request import PRIORITIES
from shared.store.job_store import JobStore
from shared.store.workers import WorkerState

log = logging.getLogger(__name__)

AT_ONCE = 50


def missing_tickets(queued: Mapping[Lane, int], tickets: Mapping[Lane, int]) -> Counter[Lane]:
    """How many more jobs than tickets wait in each lane."""
    return Counter(
        {lane: jobs - tickets[lane] for lane, jobs in queued.items() if jobs > tickets[lane]}
    )


def replacements(
    before: Mapping[Lane, int], missing: Mapping[Lane, int], at_once: int = AT_ONCE
) -> Counter[Lane]:
    """What to send: only what was missing twice running, since tickets and jobs are counted at
    different moments; and not too many at once.
    """
    chosen: Counter[Lane] = Counter()
    for lane, count in missing.items():
        chosen[lane] = min(count, before.get(lane, 0), at_once - chosen.total())
    return +chosen


class TicketKeeper:
    """One round compares the store's lanes with RQ's queues."""

    def __init__(
        self,
        store: JobStore,
        tickets: TicketQueue,
        models: Collection[str],
        metrics: KeeperMetrics,
        take_tickets: Callable[[], Counter[Lane]],
    ) -> None:
        """`take_tickets` hands over those that are known to be wanted."""
        self._store = store
        self._tickets = tickets
        self._metrics = metrics
        self._take_tickets = take_tickets
        self._missing: Counter[Lane] = Counter()
        self._lanes = {(model, priority) for model in models for priority in PRIORITIES}

    def sweep(self) -> None:
        """One round."""
        wanted = self._take_tickets()
        if wanted:
            self._tickets.send_many(wanted)
        queued = self._measure()
        before = self._missing
        self._missing = missing_tickets(
            queued, self._tickets.counts({model for model, _ in queued})
        )
        sent = replacements(before, self._missing)
        if sent:
            self._tickets.send_many(sent)
            self._missing -= sent
            self._metrics.tickets_replaced.inc(sent.total())
            log.info("replaced tickets", extra={"count": sent.total()})

    def _measure(self) -> dict[Lane, int]:
        lanes = self._store.lanes()
        self._lanes |= lanes.keys()
        for lane in self._lanes:
            state = lanes.get(lane)
            self._metrics.queue_jobs.labels(*lane).set(state.jobs if state else 0)
            self._metrics.queue_cost.labels(*lane).set(state.cost if state else 0)
            self._metrics.queue_oldest_seconds.labels(*lane).set(
                state.oldest_seconds if state else 0
            )
        states = Counter(worker.state for worker in self._store.live_workers())
        for worker_state in WorkerState:
            self._metrics.workers.labels(worker_state).set(states[worker_state])
        return {lane: state.jobs for lane, state in lanes.items()}
