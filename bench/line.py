"""The whole line without load: what a picture costs besides its own stages."""

import os
import statistics
import tempfile
import time
from pathlib import Path
from threading import Event
from typing import Any

import httpx2

from bench.figures import of_all, p99, summary
from tessera.local.stack import running_stack

WARM_UP = 5
ROUNDS = 5
JOBS = 20  # a round; of all of them together the p99 is the second slowest
FSYNCS = 100
STAGES = ("prepare_ms", "denoise_ms", "decode_ms", "encode_ms", "upload_ms")
BODY = {"prompt": "a red apple", "steps": 4, "sampler": "euler", "seed": 7}


def overhead_milliseconds(http: httpx2.Client) -> tuple[float, float]:
    """One job, waited for: (wall, wall minus its stages) as its client sees it."""
    start = time.perf_counter()
    answer = http.post("/v1/jobs", json=BODY, headers={"Prefer": "wait=30"})
    wall = (time.perf_counter() - start) * 1000
    job = answer.raise_for_status().json()
    assert job["status"] == "succeeded", job
    return wall, wall - sum(job["timing"][stage] for stage in STAGES)


def fsync_milliseconds(directory: Path) -> float:
    """The median time of a small write that is on disk when it returns."""
    times = []
    with (directory / "fsync").open("wb", buffering=0) as file:
        for _ in range(FSYNCS):
            start = time.perf_counter()
            file.write(b"x" * 512)
            os.fsync(file.fileno())
            times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def run() -> dict[str, Any]:
    """Start a stack of its own, send jobs one after the other, and say what was not a stage."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        fsync = fsync_milliseconds(root)
        with (
            running_stack(root / "data", None, os.environ, Event(), lambda line: None) as stack,
            httpx2.Client(base_url=stack.url, timeout=60, trust_env=False) as http,
        ):
            for _ in range(WARM_UP):
                overhead_milliseconds(http)
            rounds = [[overhead_milliseconds(http) for _ in range(JOBS)] for _ in range(ROUNDS)]
    walls = [[wall for wall, _ in measured] for measured in rounds]
    overheads = [[overhead for _, overhead in measured] for measured in rounds]
    return {
        "jobs": ROUNDS * JOBS,
        "wall_ms_p50": summary([statistics.median(own) for own in walls], 1),
        "overhead_ms_p50": summary([statistics.median(own) for own in overheads], 1),
        "overhead_ms_p99": of_all(p99, overheads, 1),
        "fsync_ms_p50": round(fsync, 3),
    }


if __name__ == "__main__":
    print(run())
