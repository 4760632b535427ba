"""The supervisor: starts a process for each GPU, tidies up after its death, starts the next."""

import logging
import signal
import time

from shared.connections import connect, store_errors
from shared.errors import StoreUnavailable
from shared.queue import TicketQueue, connect_rq
from shared.rq_workers import bury
from shared.store.job_store import JobStore
from worker import gpu_process, runtime
from worker.charge import Charge, Live
from worker.settings import Settings

log = logging.getLogger(__name__)

STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})
WATCHED = STOP_SIGNALS | {signal.SIGCHLD}

# A store that stays away longer leaves the jobs to the keeper and to the end of their leases.
TIDY_TRIES = 20
TIDY_PAUSE_SECONDS = 0.5


class Supervisor:
    """Never touches a device and runs no thread, so that it can fork.

    Everything heavy is imported before the fork: a new GPU process has only to load the models.
    """

    def __init__(self, settings: Settings, live: Live = gpu_process.live) -> None:
        """`live` is what a GPU process does."""
        self._settings = settings
        self._stopping = False
        count = max(len(settings.worker.gpus), 1)
        self._charges = [Charge(settings, number, live) for number in range(count)]

    def run(self) -> int:
        """Keep a process for each GPU alive until SIGTERM or SIGINT; the exit status."""
        # Blocked, and fetched where they can be acted on: no handler runs in between.
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        final = runtime.DRAINED
        while True:
            for charge in self._charges:
                if charge.start_at is not None and charge.start_at <= time.monotonic():
                    charge.start(self._charges, WATCHED)
            starts = [one.start_at for one in self._charges if one.start_at is not None]
            if not starts and all(charge.pid is None for charge in self._charges):
                return final
            self._wait(min(starts, default=None))
            for charge in self._charges:
                status = charge.ended()
                if status is None or status == runtime.DRAINED:
                    continue
                if status == gpu_process.MISCONFIGURED:
                    final = status
                    self._stop()  # the others are configured alike
                    continue
                charge.past.deaths += 1
                log.error(
                    "the GPU process died", extra={"status": status, "worker": charge.worker_id}
                )
                self._tidy_up(charge)
                if not self._stopping:
                    charge.restart_later()

    def _wait(self, until: float | None) -> None:
        """Sleep until a process ends, a stop is asked for, or that monotonic time."""
        if until is None:
            found: int | None = signal.sigwait(WATCHED)
        else:
            told = signal.sigtimedwait(WATCHED, max(until - time.monotonic(), 0.0))
            found = told.si_signo if told else None
        if found in STOP_SIGNALS:
            self._stop()

    def _stop(self) -> None:
        self._stopping = True
        for charge in self._charges:
            charge.stop()

    def _tidy_up(self, charge: Charge) -> None:
        """Give the dead process' jobs back at once, and take its name out of the books."""
        for _ in range(TIDY_TRIES):
            try:
                self._reap(charge)
                return
            except StoreUnavailable as error:
                log.warning("cannot take the jobs back yet: %s", error.detail)
            if self._stop_requested_within(TIDY_PAUSE_SECONDS):
                return

    def _reap(self, charge: Charge) -> None:
        worker_id = charge.worker_id
        pair = connect(self._settings.redis, name="tessera-supervisor")
        store = JobStore(pair, self._settings.jobs)
        reaped = store.reap(worker_id=worker_id, blamed=charge.record.blamed())
        store.forget_worker(worker_id)
        charge.past.leases_reaped += len(reaped.requeued) + len(reaped.failed)
        records = (store.get(job_id) for job_id in reaped.failed)
        charge.past.jobs_lost.update(job.request.model for job in records if job is not None)
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

    def _stop_requested_within(self, seconds: float) -> bool:
        if not self._stopping and signal.sigtimedwait(STOP_SIGNALS, seconds) is not None:
            self._stop()
        return self._stopping
