"""Ways to serve a trace, as discrete-event simulations: what each of them does to waiting times.

Every policy has one device, whose law says how long a step of so many rows takes, and overhead
of no kind. Requests are served in the order of their arrival, as far as the policy allows.
"""

import random
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from worker.engine.rows import padded_rows
from worker.engine.sample import Kind

Law = Callable[[int], float]  # rows -> seconds of a step


@dataclass(frozen=True)
class Asked:
    """One request for a picture; `at` is in seconds since the trace began."""

    at: float
    steps: int
    sampler: str
    guidance: float

    @property
    def rows(self) -> int:
        """Lines in the model's batch: guided requests take two."""
        return 1 if self.guidance == 1 else 2


STEPS = (20, 30, 50)
SAMPLERS = ("euler", "dpmpp_2m", "unipc")
GUIDANCES = (1.0, 5.0, 7.5)
MEAN_STEPS = sum(STEPS) / len(STEPS)


def poisson_trace(seed: int, count: int, rate: float) -> list[Asked]:
    """So many mixed requests, `rate` a second."""
    chance = random.Random(seed)
    moment = 0.0
    trace = []
    for _ in range(count):
        moment += chance.expovariate(rate)
        asked = (chance.choice(STEPS), chance.choice(SAMPLERS), chance.choice(GUIDANCES))
        trace.append(Asked(moment, *asked))
    return trace


def usual_key(asked: Asked) -> Hashable:
    """What requests must share where a batch has one scheduler and one guidance."""
    return asked.steps, asked.sampler, asked.guidance


def strong_key(asked: Asked) -> Hashable:
    """What they must share at the least where a batch begins and ends together."""
    return asked.steps


def serve_batches(
    trace: Sequence[Asked],
    law: Law,
    key: Callable[[Asked], Hashable],
    most: int,
    window: float = 0.0,
) -> list[float]:
    """Batches of requests that share a key, from first step to last: the moments of their ends.

    Whenever the device is free, the oldest request leads the next batch; those of its key that
    wait join it, up to `most`. With a `window`, a batch that is not full waits for more until
    its leader has waited so many seconds. `most` of 1 is one request after the other.
    """
    ends = [0.0] * len(trace)
    waiting: list[int] = []
    coming = 0
    now = 0.0

    def arrive(until: float) -> None:
        nonlocal coming
        while coming < len(trace) and trace[coming].at <= until:
            waiting.append(coming)
            coming += 1

    while waiting or coming < len(trace):
        if not waiting:
            now = max(now, trace[coming].at)
        arrive(now)
        leader = trace[waiting[0]]
        deadline = leader.at + window
        while True:
            batch = [i for i in waiting if key(trace[i]) == key(leader)][:most]
            if len(batch) == most or now >= deadline:
                break
            now = min(trace[coming].at if coming < len(trace) else deadline, deadline)
            arrive(now)
        now += leader.steps * law(sum(trace[i].rows for i in batch))
        for i in batch:
            ends[i] = now
            waiting.remove(i)
    return ends


def serve_steps(trace: Sequence[Asked], law: Law, max_rows: int) -> list[float]:
    """Our own policy: before each step the oldest that fit into `max_rows`, padded to a bucket."""
    ends = [0.0] * len(trace)
    steps_left = [asked.steps for asked in trace]
    present: list[int] = []
    coming = 0
    now = 0.0
    while present or coming < len(trace):
        if not present:
            now = max(now, trace[coming].at)
        while coming < len(trace) and trace[coming].at <= now:
            present.append(coming)
            coming += 1
        batch = []
        rows = 0
        for i in present:
            if rows + trace[i].rows <= max_rows:
                batch.append(i)
                rows += trace[i].rows
        now += law(padded_rows(rows, Kind.ORDINARY))
        for i in batch:
            steps_left[i] -= 1
            if steps_left[i] == 0:
                ends[i] = now
                present.remove(i)
    return ends
