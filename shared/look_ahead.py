"""What a worker does with the jobs that it holds, played on without ticks. Pure, as the cost model.

Jobs flow: a job that has a place in its group's batch does so many row-steps a second, until one
ends and the places are dealt anew. That is the batcher's policy (priority, groups by device time,
places in fair order, batches as wide as they are) in a few steps instead of hundreds of ticks.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from shared.pace import SizePace

ROUNDING = 1e-6  # row-steps that are none


@dataclass(slots=True)
class Stepping:
    """A job that steps: its rows in all, and row-steps still to be done."""

    rank: int  # of its priority, the highest is 0
    place: int
    rows: int
    row_steps: float

    @property
    def order(self) -> tuple[int, int]:
        """Who goes first."""
        return self.rank, self.place


@dataclass(slots=True)
class Group:
    """Jobs that may share ticks."""

    size: SizePace
    max_rows: int
    jobs: list[Stepping]

    def dealt(self) -> tuple[list[tuple[Stepping, int]], float]:
        """The jobs that have places in the next tick, how many each, and the tick's seconds."""
        room = self.max_rows
        served = []
        for job in self.jobs:
            rows = min(job.rows, room)
            served.append((job, rows))
            room -= rows
            if not room:
                break
        return served, tick_seconds(self.size, self.max_rows - room)


def tick_seconds(size: SizePace, rows: int) -> float:
    """A tick of so many rows: that of the bucket they are padded to; beyond, in proportion."""
    measured = sorted(size.tick_seconds)
    index = bisect_left(measured, rows)
    if index < len(measured):
        return size.tick_seconds[measured[index]]
    widest = measured[-1]
    return size.tick_seconds[widest] * rows / widest


def seconds_until_done(job: Stepping, groups: Sequence[Group]) -> float:
    """Device time until `job`, which is in one of the groups, has taken its last step."""
    for group in groups:
        group.jobs.sort(key=lambda one: one.order)
    passed = 0.0
    while job.row_steps > 0:
        present = [group for group in groups if group.jobs]
        best = min(group.jobs[0].rank for group in present)
        leading = [group for group in present if group.jobs[0].rank == best]
        speeds = [
            (one, rows / seconds / len(leading))
            for served, seconds in (group.dealt() for group in leading)
            for one, rows in served
        ]
        step = min(one.row_steps / speed for one, speed in speeds)
        for one, speed in speeds:
            left = one.row_steps - speed * step
            one.row_steps = left if left > ROUNDING else 0.0
        for group in leading:
            group.jobs = [one for one in group.jobs if one.row_steps]
        passed += step
    return passed
