"""Keeps checkpoints: of every sample, often enough that a death costs at most the interval."""

import threading
import time
from contextlib import suppress

from shared.checkpoint import Checkpoint
from shared.errors import StoreUnavailable
from shared.periodic import Periodic
from shared.store.job_store import JobStore
from worker.attempts import Attempt, Attempts
from worker.engine.engine import Engine
from worker.engine.sample import EngineStopped, Sample

LOOKS_PER_INTERVAL = 4


class Checkpointer:
    """A thread of its own: neither leases nor ticks wait for the scratch server."""

    def __init__(self, store: JobStore, engine: Engine, attempts: Attempts, seconds: float) -> None:
        """`seconds` is the interval; with 0 nothing is ever kept."""
        self._store = store
        self._engine = engine
        self._attempts = attempts
        self._seconds = seconds
        self._sending = threading.Lock()
        self._looks = Periodic("checkpoints", seconds / LOOKS_PER_INTERVAL, self.keep_due)

    def start(self) -> None:
        """Keep checkpoints from now on."""
        if self._seconds:
            self._looks.start()

    def stop(self) -> None:
        """Keep no more."""
        if self._seconds:
            self._looks.stop()

    def keep_due(self) -> None:
        """Keep the samples whose newest checkpoint would be too old at the next look."""
        too_old = time.monotonic() - self._seconds * (1 - 1 / LOOKS_PER_INTERVAL)
        self._keep(too_old)

    def keep_all(self) -> None:
        """Keep every sample that has moved: this worker is about to give its jobs back."""
        if self._seconds:
            self._keep(time.monotonic())

    def forget(self, attempt: Attempt) -> None:
        """The job has ended: drop its checkpoints, and keep no more of them."""
        # What does not reach the server expires there.
        with self._sending, suppress(StoreUnavailable):
            attempt.over = True
            self._store.forget_checkpoints(attempt.job.id)

    def _keep(self, kept_before: float) -> None:
        owners = {
            sample: attempt
            for attempt in self._attempts.all()
            for sample in attempt.samples
            if sample.tick > sample.kept_tick and sample.kept_at <= kept_before
        }
        if not owners:
            return
        began = time.monotonic()
        with suppress(EngineStopped):
            snapshots = self._engine.snapshot(list(owners))
            contents = {sample: snapshot.content() for sample, snapshot in snapshots.items()}
            found = {
                sample: Checkpoint(
                    fits=owners[sample].fits,
                    second_pass=sample.earlier_ticks > 0,
                    tick=snapshots[sample].tick,
                    shape=snapshots[sample].shape,
                    planes=planes,
                )
                for sample, planes in contents.items()
                if planes is not None
            }
            self._send(owners, found)
            for sample, checkpoint in found.items():
                sample.kept_tick, sample.kept_at = checkpoint.tick, began

    def _send(self, owners: dict[Sample, Attempt], found: dict[Sample, Checkpoint]) -> None:
        with self._sending:
            wanted = {
                (sample.job_id, sample.index): checkpoint
                for sample, checkpoint in found.items()
                if not owners[sample].over
            }
            if wanted:
                self._store.save_checkpoints(wanted)
