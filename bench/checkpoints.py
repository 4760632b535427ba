"""What checkpoints cost: the same eight samples with and without them, turn and turn about.

The bundled model at its usual size, a real scratch server, the usual interval.
`python -m bench.checkpoints`.
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.cancel import COMPANY, Line
from tessera.local.ports import free_ports
from tessera.local.servers import start_valkey
from worker.checkpoint import Checkpointer
from worker.runtime import SWITCH_SECONDS
from worker.settings import WorkerSettings

SAMPLES = COMPANY + 1
STEPS = 60
PAIRS = 5
USUAL = {"width": 128, "height": 128, "guidance_scale": 7.5}


def steps_per_second(line: Line, seconds: float) -> tuple[float, int]:
    """All samples from their first step to their last, and how many had a checkpoint.

    `seconds` is the interval; with 0 nothing is kept.
    """
    attempts = [line.begin(steps=STEPS, **USUAL) for _ in range(SAMPLES)]
    checkpointer = Checkpointer(line.store, line.engine, line.attempts, seconds)
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
    return SAMPLES * STEPS / took, kept


def run() -> dict[str, Any]:
    """Medians over the pairs; the share is of each pair's own rate without checkpoints."""
    switch_before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    interval = WorkerSettings().checkpoint_seconds
    with tempfile.TemporaryDirectory() as folder:
        port = free_ports(["valkey"])["valkey"]
        server = start_valkey(Path(folder) / "data", Path(folder) / "log", port)
        line = Line(port)
        line.engine.start()
        steps_per_second(line, 0)  # warms up
        pairs = [
            (steps_per_second(line, 0), steps_per_second(line, interval)) for _ in range(PAIRS)
        ]
        line.engine.stop()
        line.model.close()
        server.stop(5)
    sys.setswitchinterval(switch_before)
    assert all(kept == SAMPLES for _, (_, kept) in pairs)
    shares = [1 - with_them / without for (without, _), (with_them, _) in pairs]
    return {
        "samples": SAMPLES,
        "interval_seconds": interval,
        "steps_per_second_without": round(statistics.median(off for (off, _), _ in pairs), 1),
        "steps_per_second_with": round(statistics.median(on for _, (on, _) in pairs), 1),
        "lost_share": round(statistics.median(shares), 4),
        "lost_share_of_each_pair": [round(share, 4) for share in shares],
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
