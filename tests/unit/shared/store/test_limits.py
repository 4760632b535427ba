"""What `create` refuses, and what an idempotency key makes of a repeat."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.errors import IdempotencyMismatch, QueueFull, QuotaExceeded, Refused, StoreUnavailable
from tests.unit.shared.store.world import World

MakeWorld = Callable[..., World]


def test_a_tenant_may_queue_so_many(make_world: MakeWorld) -> None:
    world = make_world(max_queued_jobs_per_tenant=2)
    world.submit()
    world.submit()
    before = world.dump()
    with pytest.raises(QuotaExceeded):
        world.submit(deadline_seconds=5.0)
    assert world.dump() == before
    world.submit("somebody-else")
    world.claim()
    world.submit()


def test_a_tenant_may_queue_so_much_work(make_world: MakeWorld) -> None:
    world = make_world(max_queued_cost_per_tenant=10)
    first = world.submit(steps=30)  # a single job is never too dear
    with pytest.raises(QuotaExceeded) as refused:
        world.submit(priority="low")
    assert refused.value.waiting_cost == 30
    world.submit("somebody-else")
    world.store.cancel(first)
    world.submit(steps=6)
    world.submit(steps=4, model="other")
    with pytest.raises(QuotaExceeded):
        world.submit()


@pytest.mark.parametrize(
    "limit",
    [
        {"max_queued_jobs": 4},
        {"max_queued_jobs_per_tenant": 4},
        {"max_queued_cost_per_tenant": 0.07},
    ],
)
def test_a_refusal_tells_how_much_little_work_waits(
    make_world: MakeWorld, limit: dict[str, float]
) -> None:
    world = make_world(**limit)
    small = {"width": 128, "height": 128}
    for _ in range(4):
        world.submit(**small)
    with pytest.raises(Refused) as refused:
        world.submit(**small)
    assert refused.value.waiting_cost == pytest.approx(4 * 128 * 128 / 1e6, abs=1e-3)


def test_the_queue_takes_so_many_over_all_lanes(make_world: MakeWorld) -> None:
    world = make_world(max_queued_jobs=3)
    world.submit("a")
    world.submit("b", model="other")
    last = world.submit("c", priority="low")
    before = world.dump()
    with pytest.raises(QueueFull):
        world.create("d", key=("key", "ab"))
    assert world.dump() == before
    world.store.cancel(last)
    world.submit("d")


def test_the_depth_holds_under_parallel_clients(make_world: MakeWorld) -> None:
    world = make_world(max_queued_jobs=10)

    def submit(_: int) -> bool:
        try:
            world.submit()
        except QueueFull:
            return False
        return True

    with ThreadPoolExecutor(100) as pool:
        assert sum(pool.map(submit, range(200))) == 10


def test_fifty_threads_with_one_key_make_one_job(world: World) -> None:
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: world.create(key=("key", "ab")), range(50)))
    assert len({answer.job_id for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    jobs, _ = world.store.list_jobs("ada", status=None, limit=100, cursor=None)
    assert len(jobs) == 1


def test_a_key_with_another_body_is_refused(world: World) -> None:
    first = world.create(key=("key", "ab"))
    before = world.dump()
    with pytest.raises(IdempotencyMismatch):
        world.create(key=("key", "cd"))
    assert world.dump() == before
    assert world.create(key=("key", "ab")).job_id == first.job_id


def test_a_key_belongs_to_its_tenant(world: World) -> None:
    first = world.create("ada", key=("key", "ab"))
    other = world.create("bob", key=("key", "cd"))
    assert (other.replayed, other.job_id != first.job_id) == (False, True)


def test_a_replay_comes_before_limits_and_whatever_became_of_the_job(make_world: MakeWorld) -> None:
    world = make_world(max_queued_jobs=1)
    first = world.create(key=("key", "ab"))
    assert world.create(key=("key", "ab")).job_id == first.job_id
    world.finish(world.claim())
    world.submit()
    replay = world.create(key=("key", "ab"))
    assert (replay.job_id, replay.replayed, replay.job) == (first.job_id, True, None)


def test_a_key_is_kept_for_its_time_only(make_world: MakeWorld) -> None:
    world = make_world(idempotency_seconds=100)
    world.create(key=("any text: ключ " + "x" * 300, "ab"))
    (name,) = world.raw.keys("tessera:idempotency:*")
    assert 90_000 < world.raw.pttl(name) <= 100_000
    assert len(name) < 100


@pytest.fixture
def full_redis(world: World) -> Iterator[World]:
    """A store with a running job and a queued one on a server that has no memory left."""
    yield world
    world.raw.config_set("maxmemory", 0)


def test_a_full_server_takes_no_job_but_lets_the_others_end(full_redis: World) -> None:
    world = full_redis
    running, lost = world.start(), world.start(worker="dead")
    released, failed = world.start(worker="third"), world.start(worker="third")
    queued, late = world.submit(), world.submit(deadline_seconds=60.0)
    world.pass_deadline(late)
    world.raw.config_set("maxmemory", 1)
    before = world.dump()
    with pytest.raises(StoreUnavailable):
        world.create(key=("key", "ab"))
    assert world.dump() == before
    assert not world.store.beat("worker-1", {running.job.id: running.attempt_id}).lost
    world.finish(running)
    assert world.store.reap(worker_id="dead").requeued == (lost.job.id,)
    assert world.store.reap().requeued == ()
    world.release(released)
    world.fail(failed)
    world.store.cancel(queued)
    assert world.store.expire_due() == [late]
    world.finish(world.claim())
    world.store.delete(queued)
    assert world.store.due_for_deletion(10) == [("ada", queued)]
    world.store.forget(queued)
