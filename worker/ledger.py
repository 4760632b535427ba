"""RQ's books: a thread that tells RQ what became of tickets, apart from the way of a job."""

import logging
import queue
import threading
import time
from dataclasses import dataclass

import redis
from rq.executions import Execution
from rq.job import Job as RQJob
from rq.queue import Queue as RQQueue
from rq.utils import now
from rq.worker.base import WorkerStatus

from shared.rq_workers import RegisteredWorker

log = logging.getLogger(__name__)

RENEW_SECONDS = 5.0
OUTAGE_SECONDS = 1.0


@dataclass(eq=False)
class Ticket:
    """A ticket that this worker took. `done` is set by others, `execution` by the ledger."""

    job: RQJob
    queue: RQQueue
    done: bool = False
    settled: bool = False
    execution: Execution | None = None


class Ledger:
    """Writes are a few round trips each, so nobody waits for them.

    RQ's records are for people and dashboards; the truth is in the store. So an entry that
    RQ cannot take is logged and left to expire.
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
        self._entries.put(ticket)

    def done(self, ticket: Ticket) -> None:
        """The job's attempt is over, or there was none to claim."""
        ticket.done = True
        self._entries.put(ticket)

    def close(self, seconds: float) -> None:
        """Write what is left and sign off, within `seconds`."""
        self._entries.put(None)
        self._thread.join(seconds)

    def _run(self) -> None:
        renewed = float("-inf")
        while True:
            try:
                if time.monotonic() - renewed > RENEW_SECONDS:
                    self._worker.renew()
                    renewed = time.monotonic()
                entry = self._entries.get(timeout=RENEW_SECONDS)
                if entry is None:
                    self._worker.teardown()  # type: ignore[no-untyped-call]
                    return
                self._record(entry)
            except queue.Empty:
                pass
            except redis.RedisError as error:
                log.warning("RQ's server does not answer: %s", error)
                time.sleep(OUTAGE_SECONDS)

    def _record(self, ticket: Ticket) -> None:
        try:
            self._write(ticket)
        except (redis.ConnectionError, redis.TimeoutError, redis.ReadOnlyError):
            self._entries.put(ticket)
            raise
        except Exception:  # RQ reads records that anybody may have written
            log.exception("RQ could not record a ticket")
            if ticket.execution is not None:
                self._worker.executions.pop(ticket.execution.id, None)

    def _write(self, ticket: Ticket) -> None:
        if ticket.settled:
            return
        if not ticket.done:
            ticket.job.started_at = now()
            ticket.execution = self._worker.prepare_execution(ticket.job)
            return
        if ticket.execution is None:
            ticket.job.delete(remove_from_queue=False)
            ticket.settled = True
            return
        ticket.job.ended_at = now()
        registry = ticket.queue.started_job_registry
        self._worker.handle_job_success(ticket.job, ticket.queue, registry, ticket.execution)
        ticket.settled = True
        if not self._worker.executions:
            self._worker.set_state(WorkerStatus.IDLE)
