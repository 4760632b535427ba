"""A stepper whose ticks are as slow as a large model's, and hang while a file exists."""

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from worker.engine.sample import Sample
from worker.engine.stepper import Tick
from worker.recorded_stepper import RecordedStepper

STEP_SECONDS = float(os.environ.get("TESSERA_SLOWED_STEP_SECONDS", "0"))
HANG_FILE = Path(os.environ.get("TESSERA_SLOWED_HANG_FILE", "/nonexistent"))


class SlowedStepper(RecordedStepper):
    """Waits in every tick, inside what the flight record sees."""

    def launch(self, samples: Sequence[Sample]) -> Tick:
        tick = super().launch(samples)
        time.sleep(STEP_SECONDS)
        if HANG_FILE.exists():
            threading.Event().wait()
        return tick
