"""The cost model: how long work takes on the workers that there are. Pure: no clock, no server.

Work is counted as in GenerationRequest.cost: rows x calls of the model x megapixels x images. A
worker's pace turns it into seconds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shared.look_ahead import Group, Stepping, seconds_until_done, tick_seconds
from shared.pace import HeldJob, ModelPace, SizePace, WorkerPace
from shared.request import PRIORITIES, GenerationRequest, Priority

PIXELS = 1e6  # a cost of 1 is so many, in one row and one call of the model
MOST_LOOKED_AT = 4  # workers, of however many: a submission must stay cheap


@dataclass(frozen=True)
class Helper:
    """A worker that may take the job: its pace, and whether the job's model is resident."""

    pace: WorkerPace
    resident: bool


@dataclass(frozen=True)
class Newcomer:
    """A job that is not claimed yet; `jobs_ahead` of it wait, which cost `cost_ahead`."""

    request: GenerationRequest
    tenant: str
    jobs_ahead: float
    cost_ahead: float


def finish_seconds(job: Newcomer, helpers: Sequence[Helper]) -> float | None:
    """About how long until the job is done; None where no helper has measured its model.

    It waits for a slot, then steps among what its worker holds. A worker that is half empty is
    played on; a fuller one is supposed to hold much the same as now, whoever comes and goes.
    """
    able = [
        (helper, pace)
        for helper in helpers
        if (pace := helper.pace.of(job.request.model)) is not None
    ]
    if not able:
        return None
    some = able[:: math.ceil(len(able) / MOST_LOOKED_AT)]
    inside = [_inside_seconds(job, helper, pace) for helper, pace in some]
    waiting = _slot_seconds(job, [helper.pace for helper, _ in able])
    return waiting + sum(inside) / len(inside)


def drain_seconds(cost: float, paces: Sequence[WorkerPace]) -> float | None:
    """How long these workers take for so much work; None where none of them has measured."""
    speed = sum(cost_per_second(pace) for pace in paces if pace.models)
    return cost / speed if speed else None


def cost_per_second(pace: WorkerPace) -> float:
    """A busy worker's throughput: as it was lately, or else with full batches of what it ran."""
    if pace.crowded_speed is not None:
        return pace.crowded_speed
    sizes = [(model.max_rows, size) for model in pace.models for size in model.sizes]
    work = sum(
        size.served_seconds * rows * size.pixels / PIXELS / tick_seconds(size, rows)
        for rows, size in sizes
    )
    return work / sum(size.served_seconds for _, size in sizes)


def _slot_seconds(job: Newcomer, paces: Sequence[WorkerPace]) -> float:
    """How long until a slot is free for the job.

    Each job ahead that finds no free slot, and the job itself, waits for another to end. Workers
    end as many jobs as they can do work, whatever those that end next have left.
    """
    kept = 0 if job.request.priority is Priority.HIGH else 1
    free = sum(max(pace.slots - kept * pace.high_slots - len(pace.held), 0) for pace in paces)
    endings = max(job.jobs_ahead + 1 - free, 0.0)
    if not endings:
        return 0.0
    costs = [job.request.cost, *(one.cost for pace in paces for one in pace.held)]
    mean = (sum(costs) + job.cost_ahead) / (len(costs) + job.jobs_ahead)
    return endings * mean / sum(cost_per_second(pace) for pace in paces)


def _inside_seconds(job: Newcomer, helper: Helper, pace: ModelPace) -> float:
    """How long one worker takes for a job that it claims now."""
    held = [one for one in helper.pace.held if one.cost_left > 0]
    half_empty = len(helper.pace.held) <= helper.pace.slots / 2
    step = _played_on_seconds if half_empty else _lasting_seconds
    load = 0.0 if helper.resident else pace.load_seconds
    return load + pace.prepare_seconds + step(job, helper.pace, pace, held) + pace.picture_seconds


def _played_on_seconds(
    job: Newcomer, worker: WorkerPace, pace: ModelPace, held: Sequence[HeldJob]
) -> float:
    """Device time until the job's last step, should nobody else come."""
    request = job.request
    groups: dict[tuple[str, int], Group] = {}

    def join(model: ModelPace, pixels: int, stepping: Stepping) -> None:
        key = (model.model, pixels)
        if key not in groups:
            groups[key] = Group(_size_like(model, pixels), model.max_rows, [])
        groups[key].jobs.append(stepping)

    for one in held:
        model = worker.of(one.model)
        if model is not None:
            row_steps = one.cost_left * PIXELS / one.pixels
            rank = PRIORITIES.index(one.priority)
            join(model, one.pixels, Stepping(rank, one.place, one.rows, row_steps))
    pixels = request.width * request.height
    newcomer = Stepping(
        rank=PRIORITIES.index(request.priority),
        place=_place(job, held),
        rows=request.rows * request.num_images,
        row_steps=request.cost * PIXELS / pixels,
    )
    join(pace, pixels, newcomer)
    return seconds_until_done(newcomer, list(groups.values()))


def _lasting_seconds(
    job: Newcomer, worker: WorkerPace, pace: ModelPace, held: Sequence[HeldJob]
) -> float:
    """Device time until the job's last step, should as many go on sharing it as now."""
    request = job.request
    size = _size_like(pace, request.width * request.height)
    rank = PRIORITIES.index(request.priority)
    higher = [one for one in held if PRIORITIES.index(one.priority) < rank]
    groups = {(one.model, one.pixels) for one in held if one.priority is request.priority} | {
        (request.model, size.pixels)
    }
    mates = [one for one in held if (one.model, one.pixels) == (request.model, size.pixels)]
    blocked = sum(one.cost_left for one in higher) / cost_per_second(worker)
    own = _group_seconds(job, size, pace.max_rows, mates, _place(job, held))
    return blocked + len(groups) * own


def _group_seconds(
    job: Newcomer, size: SizePace, max_rows: int, mates: Sequence[HeldJob], place: int
) -> float:
    """Device time of the job's group until the job's last step, which others of it share."""
    request = job.request
    megapixels = size.pixels / PIXELS
    rows = request.rows * request.num_images
    batch = min(rows + sum(one.rows for one in mates), max_rows)
    own = request.cost / megapixels / min(rows, max_rows) * tick_seconds(size, batch)
    before = [one for one in mates if one.priority is request.priority and one.place < place]
    if sum(one.rows for one in before) + rows <= max_rows:
        return own
    work = sum(one.cost_left for one in before) / megapixels
    ahead = work * tick_seconds(size, max_rows) / max_rows
    # It begins when the first place is free, while the last of those before it still step.
    return ahead - min(ahead, own) / 2 + own


def _place(job: Newcomer, held: Sequence[HeldJob]) -> int:
    """Where the worker's fair order would put the job."""
    now = min((one.place for one in held), default=0)
    return max((one.next_place for one in held if one.tenant == job.tenant), default=now)


def _size_like(pace: ModelPace, pixels: int) -> SizePace:
    """The measured size itself, or the nearest one in proportion."""
    nearest = min(pace.sizes, key=lambda size: abs(size.pixels - pixels))
    if nearest.pixels == pixels:
        return nearest
    ratio = pixels / nearest.pixels
    ticks = {rows: seconds * ratio for rows, seconds in nearest.tick_seconds.items()}
    return nearest.model_copy(update={"pixels": pixels, "tick_seconds": ticks})
