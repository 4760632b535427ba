"""What became of a job's attempts is written down, newest last, and told to operators."""

import pytest
from typer.testing import CliRunner

from shared.settings import RedisSettings
from shared.store.scripts import HISTORY_KEPT
from tessera.commands.jobs import jobs
from tests.unit.shared.store.world import LASTING, PASSING, WORKER, World


def test_every_way_to_end_an_attempt_is_told(
    world: World, redis_settings: RedisSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = world.start()
    job_id = claim.job.id
    world.release(claim)
    world.claim()
    world.store.reap(worker_id=WORKER, blamed=[job_id])
    world.claim()
    world.store.reap(worker_id=WORKER, blamed=[])
    world.claim()
    world.end_lease(job_id)
    world.store.reap()
    world.fail(world.claim(), PASSING)
    last = world.claim("worker-2")
    world.fail(last, LASTING)
    world.fail(last, LASTING)  # sent twice, written once
    job = world.store.get(job_id)
    assert job
    assert [(one.attempt, one.worker, one.how, one.code) for one in job.history] == [
        (1, WORKER, "released", None),
        (2, WORKER, "crashed", None),
        (3, WORKER, "interrupted", None),
        (4, WORKER, "host_lost", None),
        (5, WORKER, "failed", PASSING.code),
        (6, "worker-2", "failed", LASTING.code),
    ]
    assert all(job.created_at < one.began <= one.ended for one in job.history)

    monkeypatch.setenv("TESSERA_REDIS_URL", redis_settings.redis_url)
    shown = CliRunner().invoke(jobs, ["history", job_id]).stdout.splitlines()
    assert [line.partition("  ")[0] for line in shown[:-1]] == list("123456")
    assert shown[-2].endswith(f"worker-2  failed {LASTING.code}")
    assert shown[-1] == f"failed: {LASTING.code}, {LASTING.detail}"
    assert CliRunner().invoke(jobs, ["history", "job_unknown"]).exit_code == 1


def test_the_newest_attempts_are_kept(world: World) -> None:
    job_id = world.submit()
    for _ in range(HISTORY_KEPT + 2):
        world.release(world.claim())
    job = world.store.get(job_id)
    assert job
    assert [one.attempt for one in job.history] == list(range(3, HISTORY_KEPT + 3))
