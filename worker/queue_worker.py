"""The main loop: takes tickets while slots are free, and begins an attempt for each."""

import logging
import os
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import redis

from shared.errors import StoreUnavailable
from shared.ids import new_attempt_id
from shared.queue import is_ticket
from shared.request import Priority
from shared.rq_workers import RegisteredWorker
from shared.store.job_store import JobStore
from shared.store.values import Claim
from shared.tracing import UNTRACED, Tracing
from worker.attempts import Attempt, Attempts
from worker.claimable import ClaimableModels
from worker.fair_order import FairOrder
from worker.ledger import Ledger, Ticket
from worker.niceness import step_back
from worker.tickets import Tickets

log = logging.getLogger(__name__)

RESERVED_POLL_SECONDS = 0.1
OUTAGE_SECONDS = 0.5


class QueueWorker:
    """One loop on the main thread, and a thread for each slot, where claimed jobs are worked on.

    The threads stay from job to job: in a burst, new ones took a quarter of the time.
    """

    def __init__(
        self,
        worker_id: str,
        models: ClaimableModels,
        hosted: Sequence[str],
        high_slots: int,
        connection: "redis.Redis",
        store: JobStore,
        attempts: Attempts,
        work: Callable[[Attempt], None],
        healthy: Callable[[], bool],
        tracing: Tracing = UNTRACED,
    ) -> None:
        """`hosted` are all models that may become claimable. `work` does an attempt, in its
        thread; the loop ends when `healthy()` is false.
        """
        self._worker_id = worker_id
        self._models = models
        self._high_slots = high_slots
        self._store = store
        self._attempts = attempts
        self._work = work
        self._healthy = healthy
        self._tracing = tracing
        self._tickets = Tickets(connection, hosted)
        rq_worker = RegisteredWorker(
            self._tickets.queues,
            name=worker_id,
            connection=connection,
            prepare_for_work=False,
        )
        rq_worker.hostname, rq_worker.pid = socket.gethostname(), os.getpid()
        self.ledger = Ledger(rq_worker)
        self._order = FairOrder()
        self._threads = ThreadPoolExecutor(attempts.slots, "job", initializer=step_back)
        self._stopping = False

    def request_stop(self) -> None:
        """Take no more tickets. Only sets a flag, so that signal handlers may call it."""
        self._stopping = True

    def run(self) -> None:
        """Take tickets until stopped."""
        while not self._stopping and self._healthy():
            try:
                tickets = self._next_tickets()
            except redis.RedisError as error:
                log.warning("RQ's server does not answer: %s", error)
                self._attempts.wait_for_change(OUTAGE_SECONDS)
                continue
            if tickets:
                self._use(tickets)

    def _next_tickets(self) -> Sequence[Ticket]:
        free = self._attempts.free
        models = self._models.ids
        if free == 0 or not models:
            self._attempts.wait_for_change(OUTAGE_SECONDS)
            return ()
        if free > self._high_slots:
            return self._tickets.take(models, free - self._high_slots)
        # Not waiting for a ticket, because a slot that becomes free shall be filled at once.
        tickets = self._tickets.take_high(models)
        if not tickets:
            self._attempts.wait_for_change(RESERVED_POLL_SECONDS)
        return tickets

    def _use(self, tickets: Sequence[Ticket]) -> None:
        ours = [ticket for ticket in tickets if is_ticket(ticket.id)]
        for ticket in tickets:
            if ticket not in ours:
                log.warning("refused a task that is no ticket", extra={"rq_job": ticket.id})
                self.ledger.done(ticket)
        floor = Priority.HIGH if self._attempts.free <= self._high_slots else None
        with self._models.lending() as models:
            attempts = self._claim(models, len(ours), floor) if models and ours else []
            for attempt in attempts:
                self._attempts.add(attempt)
                self._models.took(attempt.job.request.model)
        for attempt, ticket in zip(attempts, ours, strict=False):
            self.ledger.taken(ticket)
            self._threads.submit(copy_context().run, self._do, attempt, ticket)
        for ticket in ours[len(attempts) :]:
            self.ledger.done(ticket)

    def _claim(
        self, models: Sequence[str], count: int, floor: Priority | None
    ) -> Sequence[Attempt]:
        """Ask until the store answers: the same attempt ids get the same jobs."""
        attempt_ids = [new_attempt_id() for _ in range(count)]
        while not self._stopping:
            asked = time.time()
            try:
                claims = self._store.claim_many(
                    models, attempt_ids, self._worker_id, priority_floor=floor
                )
            except StoreUnavailable:
                log.warning("the store does not answer a claim")
                self._attempts.wait_for_change(OUTAGE_SECONDS)
                continue
            return [self._begin(claim, asked) for claim in claims]
        return ()

    def _begin(self, claim: Claim, asked: float) -> Attempt:
        job = claim.job
        self._tracing.record("claim", parent=job.traceparent, began=asked, ended=time.time())
        return Attempt(
            job,
            claim.attempt_id,
            suspect=claim.suspect,
            sequence=self._order.enter(claim.attempt_id, job.tenant, job.request.cost),
        )

    def _do(self, attempt: Attempt, ticket: Ticket) -> None:
        try:
            self._work(attempt)
        except Exception:  # nobody looks at what the thread answers
            log.exception("an attempt's thread failed")
        finally:
            self._attempts.remove(attempt)
            self._order.leave(attempt.attempt_id)
            self.ledger.done(ticket)
