"""The cost model on made-up workers: a tick of B rows takes B/2 seconds, a megapixel each row."""

import pytest

from shared.cost import (
    Helper,
    Newcomer,
    cost_per_second,
    drain_seconds,
    finish_seconds,
)
from shared.look_ahead import tick_seconds
from shared.pace import HeldJob, ModelPace, SizePace, WorkerPace
from shared.request import Priority
from tests.tiny_request import tiny_request

SIDE = 1000  # a megapixel: a row-step costs 1
SIZE = SizePace(pixels=SIDE**2, tick_seconds={1: 0.5, 2: 1.0, 4: 2.0}, served_seconds=1.0)
MODEL = ModelPace(
    model="tiny",
    max_rows=4,
    sizes=(SIZE,),
    prepare_seconds=0.25,
    picture_seconds=0.5,
    load_seconds=8.0,
)
IDLE = WorkerPace(models=(MODEL,), slots=4, high_slots=1)
SPEED = 2.0  # cost a second, whatever the batch
AROUND = MODEL.prepare_seconds + MODEL.picture_seconds


def newcomer(jobs_ahead: float = 0.0, cost_ahead: float = 0.0, **changes: object) -> Newcomer:
    """Ten guided steps, a cost of 20."""
    asked = {"width": SIDE, "height": SIDE, "steps": 10} | changes
    return Newcomer(tiny_request(**asked), "ada", jobs_ahead, cost_ahead)


def held(tenant: str = "bob", **changes: object) -> HeldJob:
    facts = {
        "tenant": tenant,
        "priority": Priority.NORMAL,
        "model": "tiny",
        "pixels": SIDE**2,
        "rows": 2,
        "cost": 20.0,
        "cost_left": 10.0,
        "place": 0,
        "next_place": 20_000,
    }
    return HeldJob.model_validate(facts | changes)


def holding(*jobs: HeldJob) -> WorkerPace:
    return IDLE.model_copy(update={"held": jobs})


def finish(job: Newcomer, *paces: WorkerPace, resident: bool = True) -> float:
    seconds = finish_seconds(job, [Helper(pace, resident) for pace in paces])
    assert seconds is not None
    return seconds


def test_without_a_worker_that_measured_the_model_nothing_is_promised():
    assert finish_seconds(newcomer(), []) is None
    assert finish_seconds(newcomer(), [Helper(WorkerPace(), resident=True)]) is None
    assert finish_seconds(newcomer(model="other"), [Helper(IDLE, resident=True)]) is None


def test_on_an_idle_worker_a_job_takes_its_own_ticks():
    assert finish(newcomer(), IDLE) == pytest.approx(10 * 1.0 + AROUND)
    assert finish(newcomer(guidance_scale=1.0), IDLE) == pytest.approx(10 * 0.5 + AROUND)


def test_a_model_that_is_not_resident_is_loaded_first():
    alone = finish(newcomer(), IDLE)
    assert finish(newcomer(), IDLE, resident=False) == pytest.approx(alone + MODEL.load_seconds)


def test_more_rows_than_a_tick_takes_need_more_ticks():
    assert finish(newcomer(num_images=4), IDLE) == pytest.approx(2 * 10 * 2.0 + AROUND)


def test_a_size_that_was_not_measured_is_reckoned_in_proportion():
    assert finish(newcomer(width=2 * SIDE), IDLE) == pytest.approx(2 * 10 * 1.0 + AROUND)


def test_company_in_a_half_empty_worker_is_played_on_until_it_ends():
    # Both step at half their speed for ten seconds, in one batch or by turns; then it is alone.
    assert finish(newcomer(), holding(held())) == pytest.approx(10.0 + 5.0 + AROUND)
    other = held(pixels=4 * SIDE**2)
    assert finish(newcomer(), holding(other)) == pytest.approx(10.0 + 5.0 + AROUND)


def test_company_in_a_fuller_worker_is_supposed_to_last():
    roomy = IDLE.model_copy(update={"slots": 5, "held": (held(pixels=4 * SIDE**2),) * 3})
    assert finish(newcomer(), roomy) == pytest.approx(2 * 10 * 1.0 + AROUND)
    high = held(priority=Priority.HIGH, pixels=4 * SIDE**2)
    blocked = roomy.model_copy(update={"held": (high,) * 3})
    assert finish(newcomer(), blocked) == pytest.approx(3 * 10 / SPEED + 10 * 1.0 + AROUND)


def test_higher_priority_is_waited_for_and_lower_is_not():
    alone = finish(newcomer(), IDLE)
    high = held(priority=Priority.HIGH, pixels=4 * SIDE**2)
    assert finish(newcomer(), holding(high)) == pytest.approx(alone + 10 / SPEED)
    low = held(priority=Priority.LOW, pixels=4 * SIDE**2)
    assert finish(newcomer(), holding(low)) == pytest.approx(alone)


def test_whoever_finds_no_slot_waits_for_those_that_end():
    full = holding(*[held(cost_left=8.0)] * 3)
    waiting = finish(newcomer(), full) - finish(newcomer(priority=Priority.HIGH), full)
    assert waiting > 0
    assert waiting == pytest.approx(20.0 / SPEED)
    longer = finish(newcomer(jobs_ahead=4, cost_ahead=120.0), full)
    # Five end before it, of eight that cost 200 together.
    assert longer == pytest.approx(finish(newcomer(), full) + (5 * 25.0 - 20.0) / SPEED)


def test_a_worker_without_ordinary_slots_gives_a_time_all_the_same():
    kept = IDLE.model_copy(update={"slots": 1, "high_slots": 1})
    assert finish(newcomer(), kept) == pytest.approx(20.0 / SPEED + 10 * 1.0 + AROUND)


def test_jobs_that_a_worker_does_not_hold_yet_are_waited_for():
    alone = finish(newcomer(), IDLE)
    assert finish(newcomer(jobs_ahead=2, cost_ahead=40.0), IDLE) == alone
    # Three ordinary slots, five jobs that want them before.
    assert finish(newcomer(jobs_ahead=5, cost_ahead=100.0), IDLE) == alone + 3 * 20.0 / SPEED


def test_several_workers_share_what_waits():
    full = holding(*[held(cost_left=8.0)] * 3)
    job = newcomer(jobs_ahead=5, cost_ahead=100.0)
    alone, together = finish(job, full), finish(job, full, full)
    assert alone - together == pytest.approx(6 * 20.0 / SPEED / 2)


def test_of_many_workers_a_few_are_looked_at():
    assert finish(newcomer(), *[IDLE] * 9) == pytest.approx(finish(newcomer(), IDLE))


def test_a_free_worker_is_not_waited_for():
    full = holding(*[held(cost_left=8.0)] * 3)
    assert finish(newcomer(), full, IDLE) < finish(newcomer(), full)


def test_a_tick_is_that_of_its_bucket_and_beyond_the_widest_in_proportion():
    size = SizePace(pixels=1, tick_seconds={2: 1.0, 4: 1.5}, served_seconds=0.0)
    assert [tick_seconds(size, rows) for rows in (1, 2, 3, 4, 8)] == [1.0, 1.0, 1.5, 1.5, 3.0]


def test_speed_is_what_was_lately_done_or_else_that_of_full_batches():
    assert cost_per_second(IDLE) == SPEED
    assert cost_per_second(IDLE.model_copy(update={"crowded_speed": 1.25})) == 1.25


def test_work_drains_by_all_workers_that_have_measured():
    assert drain_seconds(60.0, []) is None
    assert drain_seconds(60.0, [WorkerPace()]) is None
    assert drain_seconds(0.0, [IDLE]) == 0.0
    assert drain_seconds(60.0, [IDLE, WorkerPace()]) == pytest.approx(60 / SPEED)
    assert drain_seconds(60.0, [IDLE, IDLE]) == pytest.approx(60 / (2 * SPEED))
