"""The main loop: takes tickets from RQ while slots are free, and claims a job for each."""

import itertools
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence

import redis
from rq.exceptions import DequeueTimeout, DeserializationError
from rq.job import Job as RQJob
from rq.queue import Queue as RQQueue
from rq.serializers import JSONSerializer

from shared.errors import StoreUnavailable
from shared.ids import new_attempt_id
from shared.queue import TICKET_TASK, open_queue
from shared.request import PRIORITIES, Priority
from shared.rq_workers import RegisteredWorker
from shared.store.job_store import JobStore
from shared.tracing import UNTRACED, Tracing
from worker.attempts import Attempt, Attempts
from worker.claimable import ClaimableModels
from worker.fair_order import FairOrder
from worker.ledger import Ledger, Ticket
from worker.niceness import step_back

log = logging.getLogger(__name__)

DEQUEUE_SECONDS = 1
RESERVED_POLL_SECONDS = 0.1
OUTAGE_SECONDS = 0.5


class QueueWorker:
    """One loop on the main thread; every claimed job gets a thread of its own."""

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
        self._connection = connection
        self._store = store
        self._attempts = attempts
        self._work = work
        self._healthy = healthy
        self._tracing = tracing
        self._queues = {
            (model, priority): open_queue(connection, model, priority)
            for priority, model in itertools.product(PRIORITIES, hosted)
        }
        rq_worker = RegisteredWorker(
            list(self._queues.values()),
            name=worker_id,
            connection=connection,
            prepare_for_work=False,
        )
        rq_worker.hostname, rq_worker.pid = socket.gethostname(), os.getpid()
        self.ledger = Ledger(rq_worker)
        self._order = FairOrder()
        self._stopping = False

    def request_stop(self) -> None:
        """Take no more tickets. Only sets a flag, so that signal handlers may call it."""
        self._stopping = True

    def run(self) -> None:
        """Take tickets until stopped."""
        while not self._stopping and self._healthy():
            try:
                ticket = self._next_ticket()
            except redis.RedisError as error:
                log.warning("RQ's server does not answer: %s", error)
                self._attempts.wait_for_change(OUTAGE_SECONDS)
                continue
            except Exception:  # RQ reads records that anybody may have written
                log.exception("RQ could not read a ticket")
                continue
            if ticket is not None:
                self._use(ticket)

    def _next_ticket(self) -> Ticket | None:
        free = self._attempts.free
        models = self._models.ids
        if free == 0 or not models:
            self._attempts.wait_for_change(OUTAGE_SECONDS)
            return None
        if free <= self._high_slots:
            high = [self._queues[model, Priority.HIGH] for model in models]
            # Given one queue, RQ moves instead of pops, and a death between two of its steps
            # strands the ticket. Two names of the same queue are two queues to it.
            # Not blocking, because a slot that becomes free shall be filled at once.
            taken = self._dequeue(high * 2, None)
            if taken is None:
                self._attempts.wait_for_change(RESERVED_POLL_SECONDS)
        else:
            lanes = itertools.product(PRIORITIES, models)
            queues = [self._queues[model, priority] for priority, model in lanes]
            taken = self._dequeue(queues, DEQUEUE_SECONDS)
        return Ticket(*taken) if taken is not None else None

    def _dequeue(
        self, queues: Sequence[RQQueue], timeout: int | None
    ) -> tuple[RQJob, RQQueue] | None:
        try:
            return RQQueue.dequeue_any(queues, timeout, self._connection, serializer=JSONSerializer)
        except DequeueTimeout:
            return None

    def _use(self, ticket: Ticket) -> None:
        if not _is_ours(ticket.job):
            log.warning("refused a task that is no ticket", extra={"rq_job": ticket.job.id})
            self.ledger.done(ticket)
            return
        floor = Priority.HIGH if self._attempts.free <= self._high_slots else None
        with self._models.lending() as models:
            attempt = self._claim(models, floor) if models else None
            if attempt is None:
                self.ledger.done(ticket)
                return
            self._attempts.add(attempt)
            self._models.took(attempt.job.request.model)
        self.ledger.taken(ticket)
        thread = threading.Thread(
            target=self._do, args=(attempt, ticket), name=attempt.job.id, daemon=True
        )
        thread.start()

    def _claim(self, models: Sequence[str], floor: Priority | None) -> Attempt | None:
        """Ask until the store answers: the same attempt id gets the same job."""
        attempt_id = new_attempt_id()
        while not self._stopping:
            asked = time.time()
            try:
                claim = self._store.claim(models, attempt_id, self._worker_id, priority_floor=floor)
            except StoreUnavailable:
                log.warning("the store does not answer a claim")
                self._attempts.wait_for_change(OUTAGE_SECONDS)
                continue
            if claim is None:
                return None
            parent = claim.job.traceparent
            self._tracing.record("claim", parent=parent, began=asked, ended=time.time())
            return Attempt(
                claim.job,
                claim.attempt_id,
                suspect=claim.suspect,
                sequence=self._order.enter(attempt_id, claim.job.tenant, claim.job.request.cost),
            )
        return None

    def _do(self, attempt: Attempt, ticket: Ticket) -> None:
        step_back()
        try:
            self._work(attempt)
        finally:
            self._attempts.remove(attempt)
            self._order.leave(attempt.attempt_id)
            self.ledger.done(ticket)


def _is_ours(job: RQJob) -> bool:
    # The name is compared, never imported: RQ would run any function that Redis names.
    try:
        return job.func_name == TICKET_TASK
    except DeserializationError:
        return False
