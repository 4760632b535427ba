"""The pulse: threads that keep leases and the worker's record alive, and send progress."""

import time
from collections.abc import Callable, Sequence

from shared.job import Progress
from shared.periodic import Periodic
from shared.store.job_store import JobStore
from shared.store.workers import WorkerRecord
from worker.attempts import Attempt, Attempts, Ending
from worker.metrics import WorkerMetrics

PROGRESS_SECONDS = 0.5
RECORD_SECONDS = 0.25  # gateways reckon with what the worker's record says that it holds
WORKERS_A_TURN = 100  # more share the turns: all together, they write so many records at a time
BEATS_PER_LEASE = 3


class Pulse:
    """Leases and progress go by different threads: a slow scratch server costs no lease."""

    def __init__(
        self,
        store: JobStore,
        attempts: Attempts,
        metrics: WorkerMetrics,
        lease_seconds: float,
        describe: Callable[[], WorkerRecord],
    ) -> None:
        """`describe` gives the worker's present record."""
        self._store = store
        self._attempts = attempts
        self._metrics = metrics
        self._describe = describe
        self._sent: dict[str, Progress] = {}
        self._workers = 1
        self._turns = 0
        self._measured = (time.monotonic(), 0.0)
        self._leases = Periodic("leases", lease_seconds / BEATS_PER_LEASE, self.beat)
        self._progress = Periodic("progress", PROGRESS_SECONDS, self.send_progress)
        self._record = Periodic("record", RECORD_SECONDS, self.announce)

    def start(self) -> None:
        """Beat from now on."""
        self._leases.start()
        self._progress.start()
        self._record.start()

    def stop(self) -> None:
        """Beat no more."""
        self._record.stop()
        self._progress.stop()
        self._leases.stop()

    def beat(self) -> None:
        """Renew all leases in one call, and end the attempts that the store has ended."""
        attempts = self._attempts.all()
        worker = self._describe()
        beat = self._store.beat(
            worker.id, {attempt.job.id: attempt.attempt_id for attempt in attempts}
        )
        for attempt_id in beat.cancelled:
            self._attempts.end(attempt_id, Ending.CANCELED)
        for attempt_id in beat.lost:
            self._attempts.end(attempt_id, Ending.LOST)
        if not beat.announced:
            self._store.announce_worker(worker)
        self._measure(attempts)

    def announce(self) -> None:
        """Write the worker's record as it is now, at its turn."""
        self._turns += 1
        if self._turns * WORKERS_A_TURN >= self._workers:
            self._workers = self._store.announce_worker(self._describe())
            self._turns = 0

    def send_progress(self) -> None:
        """Tell how far jobs are, those that have moved since the last time."""
        current = {
            attempt.job.id: attempt.progress()
            for attempt in self._attempts.all()
            if attempt.samples
        }
        moved = {
            job_id: progress
            for job_id, progress in current.items()
            if self._sent.get(job_id) != progress
        }
        if moved:
            self._store.report_progress(moved)
        self._sent = current

    def _measure(self, attempts: Sequence[Attempt]) -> None:
        then, busy_then = self._measured
        self._measured = now, busy = time.monotonic(), self._metrics.busy_seconds
        self._metrics.busy_ratio.set(min((busy - busy_then) / (now - then), 1.0))
        self._metrics.slots_used.set(len(attempts))
        self._metrics.running_cost.set(sum(attempt.job.request.cost for attempt in attempts))
