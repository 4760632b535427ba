"""A charge: one GPU's process after another, as their supervisor keeps them."""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from worker.flight_record import FlightRecord
from worker.gpu_process import DEFECT
from worker.metrics import Inheritance
from worker.settings import Settings, new_worker_id

log = logging.getLogger(__name__)

# What a GPU process does with its settings, id, flight record, inheritance and lifeline.
Live = Callable[[Settings, str, FlightRecord, Inheritance, int], int]

# A process that lived this long is restarted at once, another after a pause that doubles.
STABLE_SECONDS = 30.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0


class Charge:
    """The processes of one GPU; at most one lives at a time.

    Attributes:
        worker_id: of the newest process.
        record: its flight record.
        past: what became of the jobs of earlier ones.
        pid: None while none lives.
        start_at: monotonic time of the next start; None once there is to be none.
    """

    def __init__(self, settings: Settings, number: int, live: Live) -> None:
        """`number`: which of the supervisor's GPUs; each process has a metrics port of its own."""
        gpus = settings.worker.gpus
        self._gpu = gpus[number] if gpus else None
        port = settings.metrics.metrics_port
        own_port = {"metrics_port": port + number if port else 0}
        self._settings = replace(settings, metrics=settings.metrics.model_copy(update=own_port))
        self._live = live
        self._pause = 0.0
        self._began = 0.0
        self.past = Inheritance()
        self.lifeline = -1
        self.pid: int | None = None
        self.start_at: float | None = 0.0

    def start(self, others: Iterable["Charge"], signals: Iterable[int]) -> None:
        """Fork the next process, which lets these signals through again."""
        self.worker_id = new_worker_id()
        self.record = FlightRecord(self._settings.worker.slots)
        self._began = time.monotonic()
        self.start_at = None
        reading, writing = os.pipe()
        pid = os.fork()
        if pid:
            os.close(reading)
            self.pid, self.lifeline = pid, writing
            return
        # A lifeline tells of the supervisor's death only where nobody else holds its end.
        os.close(writing)
        for other in others:
            if other.pid is not None:
                os.close(other.lifeline)
        if self._gpu is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = self._gpu
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        status = DEFECT
        try:
            status = self._live(self._settings, self.worker_id, self.record, self.past, reading)
        except Exception:  # the child must not go on in the parent's code
            log.exception("the GPU process failed")
        finally:
            logging.shutdown()
            sys.stderr.flush()
            os._exit(status)

    def ended(self) -> int | None:
        """The process' exit status, negative for a signal; None while it lives."""
        if self.pid is None:
            return None
        ended, status = os.waitpid(self.pid, os.WNOHANG)
        if not ended:
            return None
        os.close(self.lifeline)
        self.pid = None
        return os.waitstatus_to_exitcode(status)

    def stop(self) -> None:
        """Tell the process to drain, and start no other."""
        self.start_at = None
        if self.pid is not None:
            os.kill(self.pid, signal.SIGTERM)

    def restart_later(self) -> None:
        """Have another process start, at once or after a pause."""
        self.start_at = time.monotonic() + self.next_pause(time.monotonic() - self._began)

    def next_pause(self, lived_seconds: float) -> float:
        """How long to wait before the next start."""
        if lived_seconds > STABLE_SECONDS:
            self._pause = 0.0
        pause = self._pause
        self._pause = min(max(pause * 2, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        return pause
