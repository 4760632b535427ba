"""The watchdog: ends a process whose engine hangs; nothing in Python can interrupt a kernel."""

import logging
import os
import time
from collections.abc import Callable

from shared.periodic import Periodic
from worker.attempts import Attempts
from worker.tick_times import TickTimes

log = logging.getLogger(__name__)

HUNG = 72  # the exit status
LOOK_SECONDS = 1.0
SLOW_TICKS = 10


class Watchdog:
    """Counts the time in which samples wait and no tick ends.

    Time in which this process did not run (stopped, suspended) does not count.
    """

    def __init__(
        self,
        attempts: Attempts,
        ticks: TickTimes,
        excused: Callable[[], bool],
        stall_seconds: float,
        end: Callable[[], None],
    ) -> None:
        """`excused` is true while a model loads or warms up; `end` is called for a hang."""
        self._attempts = attempts
        self._ticks = ticks
        self._excused = excused
        self._stall_seconds = stall_seconds
        self._end = end
        self._seen = 0
        self._stalled = 0.0
        self._looked = time.monotonic()
        self._looks = Periodic("watchdog", LOOK_SECONDS, self.look)

    def start(self) -> None:
        """Watch from now on."""
        self._looks.start()

    def stop(self) -> None:
        """Watch no more."""
        self._looks.stop()

    def look(self) -> None:
        """Count the time since the last look, or begin anew where there was a tick."""
        now = time.monotonic()
        passed, self._looked = min(now - self._looked, 2 * LOOK_SECONDS), now
        area = self._attempts.latent_area_waiting()
        if not area or self._excused() or self._ticks.count != self._seen:
            self._seen, self._stalled = self._ticks.count, 0.0
            return
        self._stalled += passed
        if self._stalled > max(self._stall_seconds, SLOW_TICKS * self._ticks.slow(area)):
            log.error("no tick has ended for %.0f s; the process ends", self._stalled)
            self._end()


def end_at_once() -> None:
    """With the flight record as it is: the supervisor reads in it whose tick hangs."""
    os._exit(HUNG)
