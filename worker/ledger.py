"""RQ's books: a thread that tells RQ what became of tickets, apart from the way of a job."""

import logging
import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import redis
from rq.executions import Execution
from rq.job import Job as RQJob
from rq.queue import Queue as RQQueue
from rq.serializers import JSONSerializer
from rq.utils import now
from rq.worker.base import WorkerStatus

from shared.rq_workers import RegisteredWorker

log = logging.getLogger(__name__)

RENEW_SECONDS = 5.0
OUTAGE_SECONDS = 1.0
GATHER_SECONDS = 0.1  # what comes in so short a time is written together


@dataclass(eq=False)
class Ticket:
    """A ticket that this worker took. The times are set by others, the rest by the ledger."""

    id: str
    queue: RQQueue
    taken_at: datetime | None = None  # when a job was claimed for it
    done_at: datetime | None = None
    settled: bool = False
    job: RQJob | None = None
    execution: Execution | None = None

    @property
    def fresh(self) -> bool:
        """Whether its job has only just begun, and may be over before RQ need know of it."""
        if self.taken_at is None or self.done_at is not None:
            return False
        return (now() - self.taken_at).total_seconds() < GATHER_SECONDS


class Ledger:
    """Writes are a few round trips each, so nobody waits for them.

    RQ's records are for people and dashboards; the truth is in the store. So an entry that
    RQ cannot take is logged and left to expire, and a job that was done before its beginning was
    written is only counted.
    """

    def __init__(self, worker: RegisteredWorker) -> None:
        self._worker = worker
        self._entries: queue.SimpleQueue[Ticket | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)

    def start(self) -> None:
        """Register the worker, and keep it registered."""
        self._thread.start()

    def taken(self, ticket: Ticket) -> None:
        """A job was claimed for this ticket."""
        ticket.taken_at = now()
        self._entries.put(ticket)

    def done(self, ticket: Ticket) -> None:
        """The job's attempt is over, or there was none to claim."""
        ticket.done_at = now()
        self._entries.put(ticket)

    def close(self, seconds: float) -> None:
        """Write what is left and sign off, within `seconds`."""
        self._entries.put(None)
        self._thread.join(seconds)

    def _run(self) -> None:
        renewed = float("-inf")
        unwritten: dict[Ticket, None] = {}  # in the order in which they came
        closing = False
        while True:
            try:
                if time.monotonic() - renewed > RENEW_SECONDS:
                    self._worker.renew()
                    renewed = time.monotonic()
                entries = self._gather(GATHER_SECONDS if unwritten else RENEW_SECONDS)
                closing = closing or None in entries
                unwritten.update((entry, None) for entry in entries if entry is not None)
                fresh = [ticket for ticket in unwritten if ticket.fresh]
                self._write([ticket for ticket in unwritten if ticket not in fresh])
                unwritten = dict.fromkeys(fresh)
                if closing:
                    self._worker.teardown()  # type: ignore[no-untyped-call]
                    return
            except redis.RedisError as error:
                log.warning("RQ's server does not answer: %s", error)
                time.sleep(OUTAGE_SECONDS)

    def _gather(self, patience_seconds: float) -> list[Ticket | None]:
        """The next entry, if one comes in that time, and those that come soon after it."""
        entries = []
        try:
            entries.append(self._entries.get(timeout=patience_seconds))
            if entries[0] is not None:
                time.sleep(GATHER_SECONDS)
            while True:
                entries.append(self._entries.get_nowait())
        except queue.Empty:
            return entries

    def _write(self, tickets: Sequence[Ticket]) -> None:
        open_tickets = [ticket for ticket in tickets if not ticket.settled]
        brief = [one for one in open_tickets if one.done_at is not None and one.execution is None]
        self._count(brief)
        for ticket in open_tickets:
            if ticket in brief:
                continue
            try:
                self._record(ticket)
            except (redis.ConnectionError, redis.TimeoutError, redis.ReadOnlyError):
                raise
            except Exception:  # RQ reads records that anybody may have written
                log.exception("RQ could not record a ticket")
                ticket.settled = True
                if ticket.execution is not None:
                    self._worker.executions.pop(ticket.execution.id, None)

    def _count(self, tickets: Sequence[Ticket]) -> None:
        """Tickets whose beginning was never written."""
        if not tickets:
            return
        with self._worker.connection.pipeline() as pipeline:
            for ticket in tickets:
                pipeline.delete(RQJob.key_for(ticket.id))
                if ticket.taken_at is not None and ticket.done_at is not None:
                    self._worker.increment_successful_job_count(pipeline)
                    took = ticket.done_at - ticket.taken_at
                    self._worker.increment_total_working_time(took, pipeline)
            pipeline.execute()
        for ticket in tickets:
            ticket.settled = True

    def _record(self, ticket: Ticket) -> None:
        """The beginning, or the end of a ticket whose beginning was written."""
        if ticket.job is None or ticket.execution is None:
            ticket.job = RQJob.fetch(ticket.id, self._worker.connection, JSONSerializer)
            ticket.job.started_at = ticket.taken_at
            ticket.execution = self._worker.prepare_execution(ticket.job)
            return
        ticket.job.ended_at = ticket.done_at
        registry = ticket.queue.started_job_registry
        self._worker.handle_job_success(ticket.job, ticket.queue, registry, ticket.execution)
        ticket.settled = True
        if not self._worker.executions:
            self._worker.set_state(WorkerStatus.IDLE)
