"""Leases, dead workers, blame."""

from collections import Counter
from collections.abc import Callable

import pytest

from shared.request import Priority
from shared.store.scripts import UNWATCHED_SECONDS
from tests.unit.shared.store.world import MODEL, WORKER, World

MakeWorld = Callable[..., World]
LAST = "tessera:queue:reaped_at"


def lease_end(world: World, job_id: str) -> float:
    """When the lease runs out, from now, in seconds."""
    seconds, microseconds = world.raw.time()
    end: float = world.raw.zscore("tessera:leases", job_id)
    return end / 1e6 - float(seconds) - float(microseconds) / 1e6


def test_a_beat_renews_all_leases_of_a_worker(world: World) -> None:
    claims = [world.start() for _ in range(3)]
    for claim in claims:
        world.end_lease(claim.job.id)
    beat = world.store.beat(WORKER, {claim.job.id: claim.attempt_id for claim in claims})
    assert (beat.lost, beat.cancelled) == (frozenset(), frozenset())
    assert world.store.reap().requeued == ()
    assert all(9 < lease_end(world, claim.job.id) <= 10 for claim in claims)


def test_a_beat_tells_lost_and_cancelled_attempts_apart(world: World) -> None:
    kept, cancelled, overtaken = world.start(), world.start(), world.start(worker="worker-2")
    world.store.cancel(cancelled.job.id)
    world.store.reap(worker_id="worker-2")
    claims = (kept, cancelled, overtaken)
    beat = world.store.beat(WORKER, {claim.job.id: claim.attempt_id for claim in claims})
    assert beat.lost == {overtaken.attempt_id}
    assert beat.cancelled == {cancelled.attempt_id}


def test_only_run_out_leases_are_reaped(world: World) -> None:
    alive, dead = world.start(), world.start(priority=Priority.LOW)
    world.end_lease(dead.job.id)
    reaped = world.store.reap()
    assert reaped.requeued == (dead.job.id,)
    assert reaped.tickets == Counter({(MODEL, Priority.LOW): 1})
    assert (world.status(alive.job.id), world.status(dead.job.id)) == ("running", "queued")


@pytest.mark.parametrize("shift", [-(UNWATCHED_SECONDS + 1), 3600.0, None])
def test_after_an_outage_every_lease_gets_a_fresh_term(world: World, shift: float | None) -> None:
    claim = world.start()
    world.end_lease(claim.job.id)
    if shift is None:
        world.raw.delete(LAST)
    else:
        world.raw.set(LAST, int(world.raw.get(LAST)) + int(shift * 1e6))
    assert world.store.reap().requeued == ()
    assert 9 < lease_end(world, claim.job.id) <= 10
    world.raw.zadd("tessera:leases", {claim.job.id: 1})
    assert world.store.reap().requeued == (claim.job.id,)


def test_a_dead_workers_jobs_come_back_at_once_and_nobody_elses(world: World) -> None:
    mine, other = world.start(), world.start(worker="worker-2")
    assert world.store.reap(worker_id=WORKER).requeued == (mine.job.id,)
    assert world.status(other.job.id) == "running"
    assert not world.raw.exists(LAST)


def test_only_the_blamed_count_a_crash(world: World) -> None:
    guilty, innocent = world.submit(), world.submit()
    for crashes in range(1, 4):
        claims = {claim.job.id: claim for claim in (world.claim(), world.claim())}
        assert claims[guilty].suspect == (crashes > 2)
        assert not claims[innocent].suspect
        reaped = world.store.reap(worker_id=WORKER, blamed={guilty})
    assert reaped.failed == (guilty,)
    assert reaped.requeued == (innocent,)
    job = world.store.get(guilty)
    assert job is not None
    assert job.error is not None
    assert (job.error.code, job.crashes) == ("worker_lost", 3)
    innocent_job = world.store.get(innocent)
    assert innocent_job is not None
    assert innocent_job.crashes == 0


def test_without_a_flight_record_all_are_blamed(world: World) -> None:
    claim = world.start()
    world.store.reap(worker_id=WORKER)
    assert world.claim().job.crashes == 1
    world.store.reap(worker_id=WORKER, blamed=())
    job = world.store.get(claim.job.id)
    assert job is not None
    assert job.crashes == 1


def test_the_loss_of_hosts_has_its_own_larger_limit(make_world: MakeWorld) -> None:
    world = make_world(max_host_losses=4)
    job_id = world.submit()
    suspects = []
    for _ in range(4):
        suspects.append(world.claim().suspect)
        world.end_lease(job_id)
        reaped = world.store.reap()
    assert suspects == [False, False, False, True]
    assert reaped.failed == (job_id,)
    job = world.store.get(job_id)
    assert job is not None
    assert (job.status, job.crashes) == ("failed", 0)


def test_a_drain_is_no_crash(world: World) -> None:
    job_id = world.submit()
    for _ in range(20):
        world.release(world.claim())
    claim = world.claim()
    assert (claim.job.id, claim.job.crashes, claim.suspect) == (job_id, 0, False)
