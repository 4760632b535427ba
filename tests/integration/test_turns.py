"""Whose turn it is, through a running worker: tenants, priorities, ageing, deadlines."""

from collections.abc import Iterator, Sequence

import pytest

from shared.connections import connect
from shared.job import Job, JobStatus
from shared.request import Priority
from shared.settings import RedisSettings, StorageSettings
from tests.conftest import ValkeyServer
from tests.harness import (
    SLOWED_WORKER,
    Processes,
    in_mid_sampling,
    processes,
    tiny_models_file,
    wait_until,
)

ORDINARY_SLOTS = 2
LONG = {"steps": 150, "num_images": 4, "width": 128, "height": 128}


@pytest.fixture(scope="module")
def running(
    valkey: ValkeyServer,
    storage_settings: StorageSettings,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Processes]:
    """One worker with few slots, so that most jobs wait in the store."""
    directory = tmp_path_factory.mktemp("turns")
    settings = RedisSettings(redis_url=valkey.url)
    pair = connect(settings, name="test")
    pair.durable.flushall()
    models_file = tiny_models_file(directory)
    with (
        processes(directory, pair, settings, storage_settings, models_file) as started,
        started.worker(
            module=SLOWED_WORKER,
            slowed_step_seconds=0.02,  # a long job takes three seconds on any machine
            slots=ORDINARY_SLOTS + 1,
            high_slots=1,
        ),
    ):
        yield started
    pair.durable.close()


@pytest.fixture
def busy(running: Processes) -> Iterator[list[str]]:
    """Every ordinary slot holds a job that takes long; whatever is left is cancelled."""
    ids = running.submit(ORDINARY_SLOTS, **LONG)
    wait_until(lambda: in_mid_sampling(running, ids), 30, "the long jobs sampling")
    yield ids
    for job_id in ids:
        running.store.cancel(job_id)


def claimed_in_turn(running: Processes, ids: Sequence[str]) -> list[Job]:
    return sorted(running.jobs(ids), key=lambda job: job.claimed_at or 0.0)


def test_a_late_tenant_is_served_beside_a_flood(running: Processes) -> None:
    history = running.submit(6, tenant="guest")
    running.wait_for(history, JobStatus.SUCCEEDED, 60)
    flood = running.submit(25, tenant="flood")
    late = running.submit(5, tenant="guest")
    running.wait_for([*flood, *late], JobStatus.SUCCEEDED, 120)

    last = max(job.finished_at or 0.0 for job in running.jobs(late))
    since = min(job.created_at for job in running.jobs(late))
    meanwhile = [job for job in running.jobs(flood) if since <= (job.finished_at or 0.0) <= last]
    assert len(meanwhile) <= 12
    running.check_invariants([*history, *flood, *late])


def test_a_high_job_overtakes_a_full_worker(running: Processes, busy: list[str]) -> None:
    waiting = running.submit(1)
    urgent = running.submit(1, priority=Priority.HIGH)
    running.wait_for(urgent, JobStatus.SUCCEEDED, 30)
    assert running.statuses(busy) == {JobStatus.RUNNING: ORDINARY_SLOTS}
    assert running.statuses(waiting) == {JobStatus.QUEUED: 1}

    running.store.cancel(busy[0])
    running.wait_for(waiting, JobStatus.SUCCEEDED, 30)
    assert running.statuses([busy[1]]) == {JobStatus.RUNNING: 1}


def test_a_low_job_that_has_waited_long_gets_its_turn(running: Processes) -> None:
    (low,) = running.submit(1, tickets=0, priority=Priority.LOW)
    # As if it had waited since 1970.
    running.redis.durable.zadd("tessera:lane:tiny:low:waiting", {low: 1}, xx=True)
    normal = running.submit(20, tickets=0)
    running.tickets.send("tiny", Priority.NORMAL, len(normal) + 1)
    running.wait_for([*normal, low], JobStatus.SUCCEEDED, 60)

    order = [job.id for job in claimed_in_turn(running, [*normal, low])]
    assert order.index(low) < 8
    running.check_invariants([*normal, low])


def test_a_deadline_that_passes_in_mid_sampling_ends_the_job(running: Processes) -> None:
    (late,) = running.submit(1, deadline_seconds=3.0, **LONG | {"num_images": 8})
    running.wait_for([late], JobStatus.EXPIRED, 30)
    (job,) = running.jobs([late])
    assert job.started_at is not None
    assert job.finished_at is not None
    assert job.finished_at - job.created_at >= 3.0
    assert 0 < job.progress.step < job.progress.steps

    after = running.submit(ORDINARY_SLOTS)
    running.wait_for(after, JobStatus.SUCCEEDED, 30)
    running.check_invariants([late, *after])


def test_a_cancelled_job_keeps_its_progress(running: Processes, busy: list[str]) -> None:
    seen = running.jobs(busy)[0].progress
    canceled = running.store.cancel(busy[0])
    assert canceled is not None
    assert canceled.progress.step >= seen.step
    assert running.jobs(busy)[0].progress == canceled.progress
