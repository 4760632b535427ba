"""The flight record: which jobs the GPU process had in its hands, readable after its death."""

import mmap
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from worker.engine.stepper import DeviceLost

# A cell is one slot's job: two counters and the id. A job is to blame if a counter is not zero.
TICKS = 0  # ticks launched and not yet completed; written by the engine's thread
HANDS = 1  # preparations and decodings under way; written by the job's thread
JOB_ID = 2
CELL_BYTES = 64


class FlightRecord:
    """A few bytes of memory shared with the parent, which outlives the process that writes them.

    Made by the supervisor before it forks; anonymous, so that nothing is left behind.
    """

    def __init__(self, slots: int) -> None:
        self._memory = mmap.mmap(-1, slots * CELL_BYTES)
        self._free = list(range(slots))
        self._cells: dict[str, int] = {}
        self._lock = threading.Lock()
        self._frozen = False

    @contextmanager
    def aboard(self, job_id: str) -> Iterator[None]:
        """The job has a cell; at most as many jobs as slots have one at a time."""
        encoded = job_id.encode()
        assert len(encoded) <= CELL_BYTES - JOB_ID
        with self._lock:
            cell = self._cells[job_id] = self._free.pop()
        self._write(cell * CELL_BYTES, (bytes(JOB_ID) + encoded).ljust(CELL_BYTES, b"\0"))
        try:
            yield
        finally:
            self._write(cell * CELL_BYTES, bytes(CELL_BYTES))
            with self._lock:
                if self._cells.get(job_id) == cell:
                    del self._cells[job_id]
                self._free.append(cell)

    @contextmanager
    def in_hands(self, job_id: str) -> Iterator[None]:
        """The job is prepared or decoded meanwhile."""
        self._count((job_id,), HANDS, 1)
        try:
            yield
        except DeviceLost:
            self.freeze()
            raise
        finally:
            self._count((job_id,), HANDS, -1)

    def launched(self, job_ids: Iterable[str]) -> None:
        """These jobs' samples are in a tick from now on."""
        self._count(job_ids, TICKS, 1)

    def landed(self, job_ids: Iterable[str]) -> None:
        """That tick has completed."""
        self._count(job_ids, TICKS, -1)

    @property
    def frozen(self) -> bool:
        """Whether the device is lost."""
        return self._frozen

    def freeze(self) -> None:
        """Change nothing any more: the device is lost, and all that follows is consequence."""
        self._frozen = True

    def blamed(self) -> frozenset[str]:
        """The jobs that the process had in its hands when it last wrote."""
        starts = range(0, len(self._memory), CELL_BYTES)
        cells = [self._memory[start : start + CELL_BYTES] for start in starts]
        return frozenset(
            cell[JOB_ID:].rstrip(b"\0").decode() for cell in cells if cell[TICKS] or cell[HANDS]
        )

    def _count(self, job_ids: Iterable[str], counter: int, change: int) -> None:
        # A job whose attempt ended while its last tick was still on the device has no cell.
        for job_id in job_ids:
            cell = self._cells.get(job_id)
            if cell is not None:
                place = cell * CELL_BYTES + counter
                self._write(place, bytes([max(self._memory[place] + change, 0)]))

    def _write(self, place: int, content: bytes) -> None:
        if not self._frozen:
            self._memory[place : place + len(content)] = content
