"""Progress: the newest while a job runs, the last once it has ended, whoever ended it."""

from collections.abc import Callable, Iterator

import pytest
import redis

from shared.connections import RedisPair, connect
from shared.job import Job, Progress
from shared.settings import RedisSettings
from shared.store.job_store import Claim
from tessera.local.ports import free_ports
from tests.unit.shared.store.world import LASTING, MODEL, WORKER, World

HALF = Progress(step=2, steps=4)


@pytest.fixture
def scratch(redis_pair: RedisPair) -> Iterator[redis.Redis]:
    """Another database, as if it were another server."""
    kwargs = redis_pair.durable.connection_pool.connection_kwargs
    with redis.Redis(
        host=kwargs["host"], port=kwargs["port"], db=1, decode_responses=True
    ) as client:
        yield client


def get(world: World, claim: Claim) -> Job:
    job = world.store.get(claim.job.id)
    assert job is not None
    return job


def test_progress_is_the_newest_while_the_job_runs(world: World) -> None:
    claim = world.start(steps=8, num_images=2)
    job_id = claim.job.id

    def progress() -> Progress:
        job = world.store.get(job_id)
        assert job is not None
        return job.progress

    assert progress() == Progress(step=0, steps=8, images_done=0)
    world.store.report_progress({job_id: Progress(step=5, steps=15)})
    world.add_image(claim, 1)
    assert progress() == Progress(step=5, steps=15, images_done=1)
    jobs, _ = world.store.list_jobs("ada", status=None, limit=1, cursor=None)
    assert jobs[0].progress == progress()
    world.release(claim)
    assert progress() == Progress(step=0, steps=8, images_done=1)
    assert world.raw.ttl(f"tessera:progress:{job_id}") > 0


def test_progress_may_live_on_a_server_of_its_own(
    redis_pair: RedisPair, scratch: redis.Redis
) -> None:
    world = World(RedisPair(redis_pair.durable, scratch))
    claim = world.start(steps=4)
    world.store.report_progress({claim.job.id: HALF})
    assert scratch.exists(f"tessera:progress:{claim.job.id}")
    assert not world.raw.exists(f"tessera:progress:{claim.job.id}")
    assert get(world, claim).progress.fraction == 0.5


def lose_its_lease(world: World, claim: Claim) -> None:
    world.raw.hset(f"tessera:job:{claim.job.id}", "losses", 99)
    world.end_lease(claim.job.id)
    assert world.store.reap().failed == (claim.job.id,)


def lose_its_worker(world: World, claim: Claim) -> None:
    world.raw.hset(f"tessera:job:{claim.job.id}", "crashes", 99)
    assert world.store.reap(worker_id=WORKER).failed == (claim.job.id,)


def expire_one(world: World, claim: Claim) -> None:
    world.pass_deadline(claim.job.id)
    assert world.store.expire(claim.job.id)


ENDINGS: dict[str, Callable[[World, Claim], object]] = {
    "canceled": lambda world, claim: world.store.cancel(claim.job.id),
    "failed": lambda world, claim: world.fail(claim, LASTING),
    "expired": lambda world, claim: world.expire(claim.job.id),
    "expired in its worker": expire_one,
    "host lost": lose_its_lease,
    "worker lost": lose_its_worker,
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_job_that_did_not_succeed_keeps_its_last_progress(
    redis_pair: RedisPair, scratch: redis.Redis, ending: str
) -> None:
    world = World(RedisPair(redis_pair.durable, scratch))
    claim = world.start(steps=4, num_images=2, deadline_seconds=60.0)
    world.store.report_progress({claim.job.id: HALF})
    world.add_image(claim, 1)
    ENDINGS[ending](world, claim)
    scratch.flushdb()
    job = get(world, claim)
    assert job.status.terminal
    assert job.progress == HALF.model_copy(update={"images_done": 1})
    snapshot = world.events.snapshot(claim.job.id)
    assert snapshot is not None
    assert snapshot.job.progress == job.progress


def test_a_job_that_ended_before_its_first_step_shows_none(world: World) -> None:
    world.submit(steps=4)
    world.store.cancel(world.claim().job.id)
    claim = world.start(steps=4)
    world.store.cancel(claim.job.id)
    assert get(world, claim).progress == Progress(step=0, steps=4)


def test_a_job_that_was_done_too_late_shows_all_of_it(world: World) -> None:
    claim = world.start(steps=4, deadline_seconds=60.0)
    world.add_image(claim)
    world.pass_deadline(claim.job.id)
    world.commit(claim)
    job = get(world, claim)
    assert job.status == "expired"
    assert job.progress == Progress(step=4, steps=4, images_done=1)


def test_jobs_are_read_and_ended_while_the_scratch_server_is_away(redis_pair: RedisPair) -> None:
    port = free_ports(["valkey"])["valkey"]
    nobody = connect(RedisSettings(redis_url=f"redis://127.0.0.1:{port}/0"), name="test")
    world = World(RedisPair(redis_pair.durable, nobody.durable))
    claim = world.start(steps=4)
    assert get(world, claim).progress == Progress(step=0, steps=4)
    job = world.store.cancel(claim.job.id)
    assert job is not None
    assert job.status == "canceled"
    assert world.store.claim([MODEL], "attempt", WORKER) is None
