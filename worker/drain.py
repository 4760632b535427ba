"""The drain: short jobs may end here, all others are kept and go back to the queue at once."""

import logging
import time
from collections.abc import Sequence
from contextlib import suppress

from shared.errors import StoreUnavailable
from shared.store.job_store import JobStore
from worker.attempts import Attempt, Attempts, Ending
from worker.checkpoint import Checkpointer
from worker.tick_times import TickTimes

log = logging.getLogger(__name__)

# Job threads that are in the middle of something get so long to let go by themselves.
LETTING_GO_SECONDS = 1.0
# Decoding, compressing and uploading what is finished.
FINISHING_SECONDS = 1.0


class Drain:
    """Empties the slots of a worker that has claimed its last job."""

    def __init__(
        self,
        store: JobStore,
        attempts: Attempts,
        checkpointer: Checkpointer,
        ticks: TickTimes,
        grace_seconds: float,
    ) -> None:
        """Jobs that would take longer than the grace are not even tried."""
        self._store = store
        self._attempts = attempts
        self._checkpointer = checkpointer
        self._ticks = ticks
        self._grace_seconds = grace_seconds

    def run(self) -> None:
        """Return when every job is done or given back."""
        until = time.monotonic() + self._grace_seconds
        self.hand_over([one for one in self._attempts.all() if not self._is_short(one)])
        self._attempts.wait_until_empty(max(until - time.monotonic(), 0.0))
        self.hand_over(self._attempts.all())

    def hand_over(self, attempts: Sequence[Attempt]) -> None:
        """Keep what these attempts have, and give their jobs back; no crash is counted."""
        if not attempts:
            return
        with suppress(StoreUnavailable):
            self._checkpointer.keep_all()
        for attempt in attempts:
            self._attempts.end(attempt.attempt_id, Ending.RELEASED)
        self._attempts.wait_until_gone(attempts, LETTING_GO_SECONDS)
        for attempt in attempts:
            if attempt in self._attempts.all():
                # Its thread's later writes are told that they are lost.
                log.warning("a job is given back over its thread's head")
                with suppress(StoreUnavailable):
                    self._store.release(attempt.job.id, attempt.attempt_id)

    def _is_short(self, attempt: Attempt) -> bool:
        """Whether it may fit: what is left after the others has the device for itself."""
        left = max(
            (
                (sample.ticks - sample.tick + sample.later_ticks)
                * self._ticks.quick(sample.latent_area)
                for sample in attempt.samples
            ),
            default=0.0,  # still prepared: the grace will tell
        )
        return left + FINISHING_SECONDS < self._grace_seconds
