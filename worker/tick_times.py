"""How long recent ticks took, for whoever must tell a slow one from a stuck one."""

from collections import deque
from threading import Lock

from worker.engine.engine import TickReport

RECENT = 1000
QUICK_SHARE = 0.25
SLOW_SHARE = 0.99


class TickTimes:
    """Measured for each place of a latent, so that larger pictures are forgiven for taking longer.

    The engine's thread adds; any thread reads.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._count = 0

    def add(self, report: TickReport) -> None:
        """A tick has ended."""
        with self._lock:
            self._recent.append(report.seconds / report.latent_area)
            self._count += 1

    @property
    def count(self) -> int:
        """Ticks that have ended in all."""
        return self._count

    def quick(self, latent_area: int) -> float:
        """Seconds of a tick of that size in little company."""
        return self._share(QUICK_SHARE) * latent_area

    def slow(self, latent_area: int) -> float:
        """Seconds of a tick of that size that are exceeded by one in a hundred."""
        return self._share(SLOW_SHARE) * latent_area

    def _share(self, share: float) -> float:
        with self._lock:
            ordered = sorted(self._recent)
        return ordered[int(len(ordered) * share)] if ordered else 0.0
