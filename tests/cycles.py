"""Workers that are started and stopped all the time while jobs come: none is lost, none sticks."""

import random
import time
from functools import partial
from typing import Any

from shared.job import JobStatus
from tessera.local.children import Child
from tests.harness import READY_SECONDS, SLOWED_WORKER, Processes, wait_until

AHEAD = 3  # workers at a time: some start while others stop
STEPS = (20, 60)
WORKS_SECONDS = 1.0  # a worker is stopped at some moment of so long a life
GRACE = {"grace_seconds": 1.5}  # too short for most jobs
GONE_SECONDS = 60
DONE_SECONDS = 300


def stop_and_start(running: Processes, cycles: int, seed: int) -> dict[str, Any]:
    """Stop `cycles` workers, each as soon as it works; a last one does what is left. The report.

    The same seed submits the same jobs and stops after the same pauses.
    """
    chance = random.Random(seed)
    children: list[Child] = []
    ids: list[str] = []
    stops: list[float] = []
    began = time.monotonic()
    try:
        for number in range(cycles + 1):
            while len(children) < min(AHEAD, cycles + 1 - number):
                name = f"cycle-{number + len(children)}"
                children.append(running.start(name, SLOWED_WORKER, GRACE))
            child = children.pop(0)
            wait_until(partial(is_ready, child), READY_SECONDS, f"{child.name} ready")
            if number == cycles:
                children.append(child)
                running.wait_for(ids, JobStatus.SUCCEEDED, DONE_SECONDS)
                break
            for _ in range(4):
                steps = chance.randint(*STEPS)
                ids += running.submit(steps=steps, guidance_scale=1.0, seed=len(ids))
                time.sleep(chance.uniform(0, WORKS_SECONDS / 4))
            told = time.monotonic()
            child.process.terminate()
            assert child.process.wait(GONE_SECONDS) == 0
            stops.append(time.monotonic() - told)
    finally:
        for child in children:
            child.stop(GONE_SECONDS)
    jobs = running.jobs(ids)
    assert all(job.crashes == 0 for job in jobs)
    running.check_invariants(ids)
    return {
        "cycles": cycles,
        "seed": seed,
        "jobs": len(ids),
        "attempts": sum(job.attempts for job in jobs),
        "handed over": sum(one.how == "released" for job in jobs for one in job.history),
        "longest stop in seconds": round(max(stops), 2),
        "seconds": round(time.monotonic() - began),
    }


def is_ready(child: Child) -> bool:
    """Whether its log says that it takes jobs."""
    return "worker is ready" in child.log.read_text()
