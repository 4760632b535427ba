"""Lists, lanes, workers."""

from collections.abc import Callable

import pytest

from shared.job import JobStatus
from shared.request import Priority
from shared.store.workers import WorkerRecord, WorkerState
from tests.unit.shared.store.world import MODEL, World

MakeWorld = Callable[..., World]


def page_through(world: World, status: JobStatus | None, limit: int) -> list[list[str]]:
    """Every page of ada's jobs."""
    pages, cursor = [], None
    while True:
        jobs, cursor = world.store.list_jobs("ada", status=status, limit=limit, cursor=cursor)
        pages.append([job.id for job in jobs])
        if cursor is None:
            return pages


def test_pages_are_newest_first_and_complete(world: World) -> None:
    ids = [world.submit() for _ in range(7)][::-1]
    world.submit("bob")
    assert page_through(world, None, 3) == [ids[:3], ids[3:6], ids[6:]]
    assert page_through(world, None, 7) == [ids]
    assert page_through(world, None, 100) == [ids]


def test_a_page_is_not_shifted_by_new_jobs(world: World) -> None:
    ids = [world.submit() for _ in range(4)][::-1]
    jobs, cursor = world.store.list_jobs("ada", status=None, limit=2, cursor=None)
    world.submit()
    more, _ = world.store.list_jobs("ada", status=None, limit=2, cursor=cursor)
    assert [job.id for job in jobs + more] == ids


def test_a_list_by_status_has_exactly_those(world: World) -> None:
    ended = ("succeeded", "failed", "canceled", "expired", "running")
    by_status = {status: [world.bring(status).job.id for _ in range(2)] for status in ended}
    by_status["queued"] = [world.submit() for _ in range(2)]
    for status, (older, newer) in by_status.items():
        assert page_through(world, JobStatus(status), 1) == [[newer], [older]]


@pytest.mark.parametrize("cursor", ["x", "(", "[", "+", "-", "\x00", "job_", "ю"])
def test_any_text_may_come_as_a_cursor(world: World, cursor: str) -> None:
    world.submit()
    jobs, _ = world.store.list_jobs("ada", status=None, limit=5, cursor=cursor)
    assert len(jobs) <= 1


def test_lanes_tell_number_cost_and_age(world: World) -> None:
    for steps in (10, 20):
        world.submit(steps=steps)
    high = world.submit(priority=Priority.HIGH, model="other")
    lanes = world.store.lanes()
    assert set(lanes) == {(MODEL, Priority.NORMAL), ("other", Priority.HIGH)}
    normal = lanes[MODEL, Priority.NORMAL]
    assert normal.jobs == 2
    assert normal.cost == pytest.approx(30)
    assert 0 <= normal.oldest_seconds < 5
    world.store.cancel(high)
    world.claim()
    assert list(world.store.lanes()) == [(MODEL, Priority.NORMAL)]
    assert world.store.lanes()[MODEL, Priority.NORMAL].jobs == 1
    assert world.store.lanes()[MODEL, Priority.NORMAL].cost == pytest.approx(20)


def make_worker(worker_id: str, state: WorkerState = WorkerState.READY) -> WorkerRecord:
    return WorkerRecord(
        id=worker_id, host="h", models=(MODEL,), max_rows=8, state=state, started_at=1.5
    )


def test_workers_live_as_long_as_they_beat(make_world: MakeWorld) -> None:
    world = make_world(lease_seconds=10)
    assert not world.store.beat("w1", {}).announced
    for worker_id in ("w2", "w1"):
        world.store.announce_worker(make_worker(worker_id))
    assert world.store.live_workers() == [make_worker("w1"), make_worker("w2")]
    world.raw.pexpire("tessera:worker:w1", 5000)
    assert world.store.beat("w1", {}).announced
    assert 14_000 < world.raw.pttl("tessera:worker:w1") <= 15_000
    world.store.announce_worker(make_worker("w1", WorkerState.DRAINING))
    assert world.store.live_workers()[0].state is WorkerState.DRAINING
    world.raw.delete("tessera:worker:w1")
    assert world.store.live_workers() == [make_worker("w2")]
    world.store.forget_worker("w2")
    assert world.store.live_workers() == []
    assert not world.raw.exists("tessera:workers")
