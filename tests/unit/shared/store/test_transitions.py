"""Every operation from every state: what it answers, and what it leaves."""

from collections.abc import Callable, Mapping

import pytest

from shared.ids import new_attempt_id
from shared.job import JobStatus
from shared.store.job_store import Claim, Outcome
from tests.unit.shared.store.world import LASTING, MODEL, STATES, WORKER, World

Operation = Callable[[World, Claim], object]

SHOWN = {**{state: state for state in STATES}, "deleted": "none", "forgotten": "none"}
BY_ATTEMPT: dict[str, tuple[Operation, str]] = {
    # operation: what it does, and where it takes a running job
    "add_image": (World.add_image, "running"),
    "fail": (World.fail, "queued"),
    "fail for good": (lambda world, claim: world.fail(claim, LASTING), "failed"),
    "release": (World.release, "queued"),
}
# What brought the job into that state, sent again: it did count, so it is no loss.
REPEATS = {
    ("release", "queued"),
    ("fail", "failed"),
    ("fail for good", "failed"),
    ("add_image", "succeeded"),
}
FROM_OUTSIDE: dict[str, tuple[Operation, Mapping[str, tuple[object, str]]]] = {
    # operation: what it does, and from each state (answer, state afterwards)
    "cancel": (
        lambda world, claim: job.status if (job := world.store.cancel(claim.job.id)) else None,
        {
            "queued": (JobStatus.CANCELED, "canceled"),
            "running": (JobStatus.CANCELED, "canceled"),
            "succeeded": (JobStatus.SUCCEEDED, "succeeded"),
            "failed": (JobStatus.FAILED, "failed"),
            "canceled": (JobStatus.CANCELED, "canceled"),
            "expired": (JobStatus.EXPIRED, "expired"),
            "deleted": (None, "none"),
            "forgotten": (None, "none"),
        },
    ),
    "delete": (
        lambda world, claim: world.store.delete(claim.job.id),
        {state: (state not in ("deleted", "forgotten"), "none") for state in STATES},
    ),
    "expire": (
        lambda world, claim: bool(world.store.expire_due()),
        {
            state: (state in ("queued", "running"), "expired")
            if state in ("queued", "running")
            else (False, SHOWN[state])
            for state in STATES
        },
    ),
    "reap its worker": (
        lambda world, claim: bool(world.store.reap(worker_id=WORKER).requeued),
        {state: (False, SHOWN[state]) for state in STATES} | {"running": (True, "queued")},
    ),
    "reap its lease": (
        lambda world, claim: bool(world.store.reap().requeued),
        {state: (False, SHOWN[state]) for state in STATES} | {"running": (True, "queued")},
    ),
    "claim": (
        lambda world, claim: (
            again.job.id == claim.job.id
            if (again := world.store.claim([MODEL], new_attempt_id(), WORKER))
            else None
        ),
        {state: (None, SHOWN[state]) for state in STATES} | {"queued": (True, "running")},
    ),
    "claim again by the same attempt": (
        lambda world, claim: world.store.claim([MODEL], claim.attempt_id, WORKER) is not None,
        {state: (state == "running", SHOWN[state]) for state in STATES},
    ),
    "beat": (
        lambda world, claim: (
            (beat := world.store.beat(WORKER, {claim.job.id: claim.attempt_id})).lost
            | {f"cancelled {attempt}" for attempt in beat.cancelled}
        ),
        {state: ("lost", SHOWN[state]) for state in STATES}
        | {"running": (frozenset(), "running")}
        | {state: ("cancelled", SHOWN[state]) for state in ("canceled", "expired", "deleted")},
    ),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("operation", BY_ATTEMPT)
def test_a_write_by_the_attempt(world: World, operation: str, state: str) -> None:
    act, afterwards = BY_ATTEMPT[operation]
    claim = world.bring(state)
    before = world.dump()
    if state == "running":
        assert act(world, claim) is Outcome.OK
        assert world.status(claim.job.id) == afterwards
    else:
        repeated = (operation, state) in REPEATS
        assert act(world, claim) is (Outcome.OK if repeated else Outcome.LOST)
        assert world.dump() == before


@pytest.mark.parametrize("state", STATES)
def test_a_commit_by_the_attempt(world: World, state: str) -> None:
    claim = world.bring(state)
    if state == "running":
        world.add_image(claim)
    before = world.dump()
    answer = world.commit(claim)
    assert answer is (Outcome.OK if state in ("running", "succeeded") else Outcome.LOST)
    if state == "running":
        assert world.status(claim.job.id) == "succeeded"
    else:
        assert world.dump() == before


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("operation", FROM_OUTSIDE)
def test_an_act_from_outside(world: World, operation: str, state: str) -> None:
    act, table = FROM_OUTSIDE[operation]
    expected, afterwards = table[state]
    claim = world.bring(state)
    if operation == "expire":
        world.raw.zadd("tessera:deadlines", {claim.job.id: 1}, xx=True)
    if operation == "reap its lease":
        world.end_lease(claim.job.id)
    answer = act(world, claim)
    if operation == "beat" and expected:
        told = claim.attempt_id if expected == "lost" else f"cancelled {claim.attempt_id}"
        assert answer == {told}
    else:
        assert answer == expected
    assert world.status(claim.job.id) == afterwards


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_live_job_cannot_be_forgotten(world: World, state: str) -> None:
    claim = world.bring(state)
    before = world.dump()
    with pytest.raises(Exception, match="UNFINISHED"):
        world.store.forget(claim.job.id)
    assert world.dump() == before


def test_a_commit_without_all_pictures_is_a_defect(world: World) -> None:
    claim = world.start(num_images=2)
    world.add_image(claim, 0)
    before = world.dump()
    with pytest.raises(Exception, match="PICTURES"):
        world.commit(claim)
    assert world.dump() == before


@pytest.mark.parametrize("operation", [*BY_ATTEMPT, "commit"])
def test_an_overtaken_attempt_changes_nothing(world: World, operation: str) -> None:
    old = world.start()
    world.store.reap(worker_id=WORKER)
    new = world.claim("worker-2")
    world.add_image(new)
    before = world.dump()
    act = BY_ATTEMPT[operation][0] if operation in BY_ATTEMPT else World.commit
    assert act(world, old) is Outcome.LOST
    assert world.dump() == before
    assert world.commit(new) is Outcome.OK


def test_a_record_tells_its_whole_life(world: World) -> None:
    claim = world.start(num_images=2, steps=4)
    world.add_image(claim, 1)
    world.release(claim)
    again = world.claim()
    assert [image.index for image in again.job.images] == [1]
    world.add_image(again, 0)
    world.commit(again)
    job = world.store.get(claim.job.id)
    assert job is not None
    assert (job.status, job.attempts, job.crashes) == (JobStatus.SUCCEEDED, 2, 0)
    assert [image.index for image in job.images] == [0, 1]
    assert job.started_at is not None
    assert job.finished_at is not None
    assert job.created_at <= job.started_at <= job.finished_at
    assert (job.progress.fraction, job.progress.images_done) == (1.0, 2)
    assert job.timing.total_ms == 70
    assert job.request == claim.job.request


def test_failures_are_retried_until_none_is_left(world: World) -> None:
    job_id = world.submit()
    for expected in ("queued", "queued", "failed"):
        assert world.fail(world.claim()) is Outcome.OK
        assert world.status(job_id) == expected
    job = world.store.get(job_id)
    assert job is not None
    assert job.error is not None
    assert (job.error.code, job.attempts, job.timing.queue_ms) == ("internal_error", 3, 5)
