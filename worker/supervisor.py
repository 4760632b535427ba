"""The supervisor: starts the GPU process, tidies up after its death, and starts the next one."""

import logging
import os
import signal
import sys
import time

from shared.connections import connect, store_errors
from shared.errors import StoreUnavailable
from shared.queue import TicketQueue, connect_rq
from shared.rq_workers import bury
from shared.store.job_store import JobStore
from worker import gpu_process, runtime
from worker.flight_record import FlightRecord
from worker.metrics import Inheritance
from worker.settings import Settings, new_worker_id

log = logging.getLogger(__name__)

STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})
WATCHED = STOP_SIGNALS | {signal.SIGCHLD}

# A process that lived this long is restarted at once, another after a pause that doubles.
STABLE_SECONDS = 30.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0

# A store that stays away longer leaves the jobs to the keeper and to the end of their leases.
TIDY_TRIES = 20
TIDY_PAUSE_SECONDS = 0.5


class Supervisor:
    """Never touches the device and runs no thread, so that it can fork.

    Everything heavy is imported before the fork: a new GPU process has only to load the models.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopping = False
        self._lifeline = -1
        self._pause = 0.0
        self._past = Inheritance()

    def run(self) -> int:
        """Keep a GPU process alive until SIGTERM or SIGINT; the exit status."""
        # Blocked, and fetched where they can be acted on: no handler runs in between.
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        while True:
            began = time.monotonic()
            worker_id = new_worker_id()
            record = FlightRecord(self._settings.worker.slots)
            status = self._watch(self._fork(worker_id, record))
            if status in (runtime.DRAINED, gpu_process.MISCONFIGURED):
                return status
            self._past.deaths += 1
            log.error("the GPU process died", extra={"status": status, "worker": worker_id})
            self._tidy_up(worker_id, record)
            if self._stop_requested_within(self._next_pause(time.monotonic() - began)):
                return 0

    def _fork(self, worker_id: str, record: FlightRecord) -> int:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid:
            os.close(reading)
            self._lifeline = writing
            return pid
        os.close(writing)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
        status = gpu_process.DEFECT
        try:
            status = gpu_process.live(self._settings, worker_id, record, self._past, reading)
        except Exception:  # the child must not go on in the parent's code
            log.exception("the GPU process failed")
        finally:
            logging.shutdown()
            sys.stderr.flush()
            os._exit(status)

    def _watch(self, pid: int) -> int:
        """The child's exit status, negative for a signal; stop signals are passed on to it."""
        while True:
            if signal.sigwait(WATCHED) in STOP_SIGNALS:
                self._stopping = True
                os.kill(pid, signal.SIGTERM)
                continue
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                os.close(self._lifeline)
                return os.waitstatus_to_exitcode(status)

    def _tidy_up(self, worker_id: str, record: FlightRecord) -> None:
        """Give the dead process' jobs back at once, and take its name out of the books."""
        for _ in range(TIDY_TRIES):
            try:
                self._reap(worker_id, record)
                return
            except StoreUnavailable as error:
                log.warning("cannot take the jobs back yet: %s", error.detail)
            if self._stop_requested_within(TIDY_PAUSE_SECONDS):
                return

    def _reap(self, worker_id: str, record: FlightRecord) -> None:
        pair = connect(self._settings.redis, name="tessera-supervisor")
        store = JobStore(pair, self._settings.jobs)
        reaped = store.reap(worker_id=worker_id, blamed=record.blamed())
        store.forget_worker(worker_id)
        self._past.leases_reaped += len(reaped.requeued) + len(reaped.failed)
        records = (store.get(job_id) for job_id in reaped.failed)
        self._past.jobs_lost.update(job.request.model for job in records if job is not None)
        log.warning(
            "took the dead process' jobs back",
            extra={"requeued": reaped.requeued, "failed": reaped.failed},
        )
        tickets = TicketQueue(self._settings.redis)
        tickets.send_many(reaped.tickets)
        rq_connection = connect_rq(self._settings.redis, name="tessera-supervisor")
        with store_errors():
            bury(rq_connection, worker_id)
        # Nothing open may be shared with the next child.
        for connection in (tickets, rq_connection, pair.durable, pair.scratch):
            connection.close()

    def _next_pause(self, lived_seconds: float) -> float:
        if lived_seconds > STABLE_SECONDS:
            self._pause = 0.0
        pause = self._pause
        self._pause = min(max(pause * 2, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        return pause

    def _stop_requested_within(self, seconds: float) -> bool:
        if not self._stopping:
            self._stopping = signal.sigtimedwait(STOP_SIGNALS, seconds) is not None
        return self._stopping
