"""How good the promised times are: seeded traces of 200 mixed jobs on a fake device."""

import random
import statistics
from dataclasses import dataclass
from typing import Any

from bench.requests import request
from bench.simulation import MODEL, Device, Simulation, Submitted, empty_store
from shared.request import Priority

SEEDS = range(101, 106)  # none of them was looked at while the cost model was made
JOBS = 200
SIZES = (384, 512, 768)
TARGET = 0.25
SCENES = {  # workers, and the mean gap between two submissions in seconds
    "one_worker_with_air": (1, 1.2),
    "one_worker_overrun": (1, 0.55),
    "three_workers_busy": (3, 0.2),
}


def law(rows: int, pixels: int) -> float:
    """A tick has a part that any batch pays, and one that grows with rows and pixels."""
    return 0.010 + 0.008 * rows * (pixels / 512**2) ** 1.15


@dataclass(frozen=True)
class Fork:
    """After the job with this number a trace goes on as another seed would have it."""

    after: int
    seed: int


def trace(
    seed: int, jobs: int = JOBS, gap_seconds: float = 0.55, fork: Fork | None = None
) -> list[Submitted]:
    """Mixed jobs that come at random, now and then in bursts, by three tenants."""
    chance = random.Random(seed)
    moment = 0.0
    made = []
    for number in range(jobs):
        if fork is not None and number == fork.after + 1:
            chance = random.Random(fork.seed)
        moment += chance.expovariate(1 / gap_seconds)
        side = chance.choice(SIZES)
        asked = request(
            model=MODEL,
            width=side,
            height=side,
            steps=chance.choice((8, 20, 20, 30, 50)),
            num_images=chance.choice((1, 1, 1, 2, 4)),
            guidance_scale=chance.choice((7.5, 7.5, 1.0)),
            priority=chance.choices(list(Priority), (1, 8, 1))[0],
        )
        made.append(Submitted(chance.choice("abc"), asked, moment))
    return made


def errors(jobs: list[Submitted]) -> list[float]:
    """|promised - true| / true of each job that was promised a time."""
    found = []
    for job in jobs:
        assert job.done is not None
        if job.eta is not None:
            truth = job.done - job.at
            found.append(abs(job.eta - truth) / truth)
    return found


def run() -> dict[str, Any]:
    """Every scene with every seed."""
    results: dict[str, Any] = {"jobs": JOBS, "target_median_error": TARGET}
    for name, (workers, gap) in SCENES.items():
        traces = [trace(seed, gap_seconds=gap) for seed in SEEDS]
        for jobs in traces:
            with empty_store() as store:
                Simulation(store, Device(law), workers).run(jobs)
        results[name] = _summary(traces)
    return results


def _summary(traces: list[list[Submitted]]) -> dict[str, Any]:
    together = [job for jobs in traces for job in jobs]
    medians = sorted(statistics.median(errors(jobs)) for jobs in traces)
    low = [job for job in together if job.request.priority is Priority.LOW]
    return {
        "median_error": round(statistics.median(errors(together)), 3),
        "median_error_best_trace": round(medians[0], 3),
        "median_error_worst_trace": round(medians[-1], 3),
        "p90_error": round(statistics.quantiles(errors(together), n=10)[-1], 3),
        "median_error_low_priority": round(statistics.median(errors(low)), 3),
        "median_seconds": round(statistics.median(job.done - job.at for job in together), 1),
    }


if __name__ == "__main__":
    print(run())
