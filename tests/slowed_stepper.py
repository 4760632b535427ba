"""A stepper whose ticks are as slow as a large model's; some hang, some kill the process."""

import os
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from worker.engine.sample import Sample
from worker.engine.stepper import Tick
from worker.recorded_stepper import RecordedStepper

STEP_SECONDS = float(os.environ.get("TESSERA_SLOWED_STEP_SECONDS", "0"))
POISON_SIDE = int(os.environ.get("TESSERA_SLOWED_POISON_SIDE", "0"))
MAX_ROWS = 8
HANG_FILE = Path(os.environ.get("TESSERA_SLOWED_HANG_FILE", "/nonexistent"))


class SlowedStepper(RecordedStepper):
    """Waits in every tick, and dies of latents of one width, inside what the flight record sees."""

    @property
    def max_rows(self) -> int:
        """The same on every machine: so many jobs of one row go on together."""
        return MAX_ROWS

    def launch(self, samples: Sequence[Sample]) -> Tick:
        tick = super().launch(samples)
        if samples[0].key.latent_shape[-1] == POISON_SIDE:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(STEP_SECONDS)
        if HANG_FILE.exists():
            threading.Event().wait()
        return tick
