"""How well anybody could tell when jobs are done: the same present, played on with other futures.

Whoever knows everything but who comes later does best to tell the median of what may happen. How
far that of the other futures is off is about the least that a told time can be off.
"""

import random
import statistics
from typing import Any

from bench.eta import JOBS, SCENES, Fork, law, trace
from bench.simulation import Device, Simulation, Submitted, empty_store

SEED = 7
PRESENTS = 8
FUTURES = 5


def play(workers: int, gap_seconds: float, seed: int, fork: Fork) -> Submitted:
    """The last job before the fork, done."""
    jobs = trace(seed, gap_seconds=gap_seconds, fork=fork)
    looked_at = jobs[fork.after]
    with empty_store() as store:
        Simulation(store, Device(law), workers).run(jobs, last=looked_at)
    return looked_at


def run() -> dict[str, Any]:
    """Every scene: the least median error there can be, and that of what was told."""
    results = {}
    chance = random.Random(SEED)
    for name, (workers, gap) in SCENES.items():
        least, told = [], []
        for _ in range(PRESENTS):
            seed, after = chance.randrange(10**6), chance.randrange(JOBS // 8, JOBS * 3 // 4)
            ends = [
                play(workers, gap, seed, Fork(after, chance.randrange(10**6)))
                for _ in range(FUTURES)
            ]
            truths = [job.done - job.at for job in ends if job.done is not None]
            for index, truth in enumerate(truths):
                best = statistics.median(truths[:index] + truths[index + 1 :])
                least.append(abs(best - truth) / truth)
            promised = ends[0].eta
            assert promised is not None
            told += [abs(promised - truth) / truth for truth in truths]
        results[name] = {
            "least_median_error": round(statistics.median(least), 3),
            "median_error": round(statistics.median(told), 3),
        }
    return results


if __name__ == "__main__":
    print(run())
