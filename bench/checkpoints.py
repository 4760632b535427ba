"""What checkpoints cost: the same eight samples with and without them, turn and turn about.

The bundled model at its usual size, a real scratch server, the usual interval. From run to run the
rate of steps varies by more than checkpoints cost. Their time is therefore also taken by itself:
what the engine's thread copies for, and what the checkpoints' thread uses of a processor. Together
that is the most that they can cost. `python -m bench.checkpoints`.
"""

import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bench.cancel import COMPANY, Line
from bench.figures import summary
from tessera.local.ports import free_ports
from tessera.local.servers import start_valkey
from worker.checkpoint import Checkpointer
from worker.engine.batcher import Batcher
from worker.engine.engine import Engine
from worker.engine.sample import Sample
from worker.engine.stepper import Snapshot, Stepper
from worker.runtime import SWITCH_SECONDS
from worker.settings import WorkerSettings

SAMPLES = COMPANY + 1
STEPS = 40
PAIRS = 5
USUAL = {"width": 128, "height": 128, "guidance_scale": 7.5}


class TimedStepper:
    """A stepper that adds up what its snapshots keep the engine's thread from stepping."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper
        self.copying = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stepper, name)

    def snapshot(self, sample: Sample) -> Snapshot:
        """As ever."""
        began = time.perf_counter()
        found = self._stepper.snapshot(sample)
        self.copying += time.perf_counter() - began
        return found


class TimedCheckpointer(Checkpointer):
    """Adds up what its thread uses of a processor."""

    used = 0.0

    def keep_due(self) -> None:
        """As ever."""
        began = time.thread_time()
        super().keep_due()
        self.used += time.thread_time() - began


class TimedLine(Line):
    """The line with both stopwatches."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.stepper = TimedStepper(self.model.stepper)
        steppers = {self.model.entry.id: self.stepper}
        batcher = Batcher(lambda _: 2 * SAMPLES)
        self.engine = Engine(batcher, steppers, lambda _: None, torch.inference_mode)


@dataclass(frozen=True)
class Taken:
    """Steps a second; samples that had a checkpoint; the share of the time that these took."""

    rate: float
    kept: int
    share: float


def take_steps(line: TimedLine, seconds: float) -> Taken:
    """All samples from their first step to their last; with an interval of 0 nothing is kept."""
    attempts = [line.begin(steps=STEPS, **USUAL) for _ in range(SAMPLES)]
    checkpointer = TimedCheckpointer(line.store, line.engine, line.attempts, seconds)
    copying_before = line.stepper.copying
    checkpointer.start()
    began = time.perf_counter()
    for attempt in attempts:
        for sample in attempt.samples:
            sample.finished.result()
    took = time.perf_counter() - began
    checkpointer.stop()
    kept = sum(bool(line.store.checkpoints_of(attempt.job.id)) for attempt in attempts)
    for attempt in attempts:
        checkpointer.forget(attempt)
        line.attempts.remove(attempt)
    busy = checkpointer.used + line.stepper.copying - copying_before
    return Taken(SAMPLES * STEPS / took, kept, busy / took)


def run() -> dict[str, Any]:
    """Medians over the pairs; the share is of each pair's own rate without checkpoints."""
    switch_before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    interval = WorkerSettings().checkpoint_seconds
    with tempfile.TemporaryDirectory() as folder:
        port = free_ports(["valkey"])["valkey"]
        server = start_valkey(Path(folder) / "data", Path(folder) / "log", port)
        line = TimedLine(port)
        line.engine.start()
        take_steps(line, 0)  # warms up
        pairs = [(take_steps(line, 0), take_steps(line, interval)) for _ in range(PAIRS)]
        line.engine.stop()
        line.model.close()
        server.stop(5)
    sys.setswitchinterval(switch_before)
    assert all(kept.kept == SAMPLES for _, kept in pairs)
    return {
        "samples": SAMPLES,
        "interval_seconds": interval,
        "steps_per_second_without": summary([plain.rate for plain, _ in pairs], 1),
        "steps_per_second_with": summary([kept.rate for _, kept in pairs], 1),
        "lost_share_by_rates": summary([1 - kept.rate / plain.rate for plain, kept in pairs], 3),
        "busy_share": summary([kept.share for _, kept in pairs], 5),
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
