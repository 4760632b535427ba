"""Ended jobs go in time, their objects first, and leave nothing."""

from collections.abc import Callable

import pytest

from shared.ids import attempt_prefix
from shared.job import Progress
from shared.store.values import Sweep
from tests.unit.shared.store.world import STATES, WORKER, World, make_image

MakeWorld = Callable[..., World]
# What may stay once every job is gone: numbers about all jobs together.
LEFT = {"tessera:queue:turn", "tessera:queue:reaped_at"}


def pass_time(world: World, index: str) -> None:
    """Let everything in that index be due."""
    for member in world.raw.zrange(index, 0, -1):
        world.raw.zadd(index, {member: 1})


def lasting(world: World) -> set[str]:
    """Keys without a TTL."""
    return {key for key in world.raw.scan_iter() if world.raw.ttl(key) == -1}


def test_only_ended_jobs_become_due_and_only_after_their_time(make_world: MakeWorld) -> None:
    world = make_world(retention_seconds=1000)
    ended = [world.bring(state).job.id for state in ("succeeded", "failed", "canceled", "expired")]
    world.bring("running")
    world.bring("queued")
    assert world.store.due_for_deletion(10) == []
    for job_id in ended:
        job = world.store.get(job_id)
        assert job is not None
        assert job.finished_at is not None
        due_at = world.raw.zscore("tessera:expiry", job_id) / 1e6
        assert due_at == pytest.approx(job.finished_at + 1000, abs=1e-3)
    pass_time(world, "tessera:expiry")
    assert sorted(world.store.due_for_deletion(10)) == sorted(("ada", job_id) for job_id in ended)
    assert len(world.store.due_for_deletion(2)) == 2


def test_a_deleted_job_is_hidden_and_due_at_once(world: World) -> None:
    claim = world.start()
    assert world.store.delete(claim.job.id)
    assert world.store.get(claim.job.id) is None
    assert world.store.cancel(claim.job.id) is None
    for status in (None, claim.job.status):
        assert world.store.list_jobs("ada", status=status, limit=9, cursor=None) == ([], None)
    assert world.store.due_for_deletion(10) == [("ada", claim.job.id)]
    world.store.forget(claim.job.id)
    assert world.store.due_for_deletion(10) == []


@pytest.mark.parametrize("state", STATES)
def test_a_forgotten_job_leaves_nothing(world: World, state: str) -> None:
    claim = world.bring(state)
    world.store.delete(claim.job.id)
    world.store.forget(claim.job.id)
    for sweep in world.store.due_sweeps(10):
        world.store.swept(sweep.prefix)
    pass_time(world, "tessera:sweeps")
    for sweep in world.store.due_sweeps(10):
        assert sweep.keep == frozenset()
        world.store.swept(sweep.prefix)
    assert lasting(world) <= LEFT
    others = {key for key in world.raw.scan_iter() if claim.job.id in key}
    assert others == set()


def test_retention_leaves_nothing_either(world: World) -> None:
    claim = world.start()
    world.store.report_progress({claim.job.id: Progress(step=1, steps=1)})
    world.store.keep_preview(claim.job.id, b"a picture", index=0, step=1, steps=1)
    world.finish(claim)
    pass_time(world, "tessera:expiry")
    ((_, job_id),) = world.store.due_for_deletion(10)
    world.store.forget(job_id)
    assert lasting(world) <= LEFT
    assert not world.raw.exists(f"tessera:progress:{job_id}", f"tessera:preview:{job_id}")


@pytest.mark.parametrize("ending", ["release", "fail", "reap", "cancel", "expire", "delete"])
def test_an_ended_attempt_is_swept_later_but_for_what_it_told(world: World, ending: str) -> None:
    claim = world.start(num_images=2, deadline_seconds=60.0)
    world.add_image(claim, 0, trajectory=True)
    {
        "release": lambda: world.release(claim),
        "fail": lambda: world.fail(claim),
        "reap": lambda: world.store.reap(worker_id=WORKER),
        "cancel": lambda: world.store.cancel(claim.job.id),
        "expire": lambda: world.expire(claim.job.id),
        "delete": lambda: world.store.delete(claim.job.id),
    }[ending]()
    assert world.store.due_sweeps(10) == []
    pass_time(world, "tessera:sweeps")
    prefix = attempt_prefix("ada", claim.job.id, claim.attempt_id)
    keep = frozenset(make_image(claim, 0, trajectory=True).keys)
    assert world.store.due_sweeps(10) == [Sweep(prefix, keep)]
    world.store.swept(prefix)
    assert world.store.due_sweeps(10) == []


def test_a_success_needs_no_sweep(world: World) -> None:
    world.bring("succeeded")
    assert not world.raw.exists("tessera:sweeps")
