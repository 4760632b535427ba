"""A script that the network made the client send twice counts once."""

from collections.abc import Callable

import pytest

from shared.connections import RedisPair
from shared.ids import new_attempt_id, new_job_id
from tests.unit.shared.store.world import LASTING, MODEL, WORKER, World


def _create(world: World) -> Callable[[], object]:
    job_id = new_job_id()
    return lambda: world.create(job_id=job_id, key=("key", "ab"))


def _claim(world: World) -> Callable[[], object]:
    world.submit()
    world.submit()
    attempt = new_attempt_id()
    return lambda: world.store.claim([MODEL], attempt, WORKER)


def _claim_many(world: World) -> Callable[[], object]:
    world.submit()
    world.submit()
    attempts = [new_attempt_id() for _ in range(3)]
    return lambda: world.store.claim_many([MODEL], attempts, WORKER)


def _add_image(world: World) -> Callable[[], object]:
    claim = world.start()
    return lambda: world.add_image(claim)


def _commit(world: World) -> Callable[[], object]:
    claim = world.start()
    world.add_image(claim)
    return lambda: world.commit(claim)


def _fail(world: World) -> Callable[[], object]:
    claim = world.start()
    return lambda: world.fail(claim)


def _fail_for_good(world: World) -> Callable[[], object]:
    claim = world.start()
    return lambda: world.fail(claim, LASTING)


def _release(world: World) -> Callable[[], object]:
    claim = world.start()
    return lambda: world.release(claim)


def _cancel(world: World) -> Callable[[], object]:
    claim = world.start()
    return lambda: world.store.cancel(claim.job.id)


SENDS = [
    _create,
    _claim,
    _claim_many,
    _add_image,
    _commit,
    _fail,
    _fail_for_good,
    _release,
    _cancel,
]


@pytest.mark.parametrize("prepare", SENDS)
def test_the_second_send_answers_the_same_and_changes_nothing(
    world: World, prepare: Callable[[World], Callable[[], object]]
) -> None:
    send = prepare(world)
    first = send()
    after_one = world.dump()
    assert send() == first
    assert world.dump() == after_one


def test_a_failure_sent_again_does_not_touch_the_next_attempt(world: World) -> None:
    old = world.start()
    world.fail(old)
    world.claim()
    before = world.dump()
    assert world.fail(old) == "ok"
    assert world.dump() == before


def test_reaping_and_ending_twice_is_ending_once(world: World) -> None:
    claim = world.start(deadline_seconds=600.0)
    world.store.reap(worker_id=WORKER)
    before = world.dump()
    world.store.reap(worker_id=WORKER)
    assert world.dump() == before
    world.expire(claim.job.id)
    world.store.delete(claim.job.id)
    before = world.dump()
    assert not world.store.delete(claim.job.id)
    assert world.store.expire_due() == []
    assert world.dump() == before
    world.store.forget(claim.job.id)
    before = world.dump()
    world.store.forget(claim.job.id)
    assert world.dump() == before


def test_a_server_that_forgot_the_scripts_is_told_again(
    world: World, redis_pair: RedisPair
) -> None:
    claim = world.start()
    redis_pair.durable.script_flush()
    world.finish(claim)
    assert world.status(claim.job.id) == "succeeded"
