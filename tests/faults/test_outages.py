"""Redis and S3 go away and come back: nothing is lost, nothing is done twice, nobody dies."""

import time
from pathlib import Path

import pytest

from shared.connections import connect
from shared.ids import new_job_id
from shared.job import JobStatus
from shared.settings import JobSettings, RedisSettings
from shared.store.job_store import JobStore
from shared.store.values import NewJob
from tessera.local.ports import free_ports
from tessera.local.servers import start_valkey
from tests.faults.conftest import LEASE_SECONDS, Line
from tests.harness import TENANT, gpu_process_of, in_mid_sampling, kill, wait_until
from tests.tiny_request import tiny_request

KILLS = 20
JOBS_BETWEEN = 10


# Longer than a lease, so that only the reaper's caution saves the live worker's jobs.
@pytest.mark.parametrize("seconds", [LEASE_SECONDS + 2, pytest.param(45, marks=pytest.mark.slow)])
def test_redis_is_away_for_longer_than_a_lease(seconds: float, line: Line) -> None:
    running = line.processes
    gpu_process = gpu_process_of(line.worker)
    ids = running.submit(8, steps=60, guidance_scale=1.0)
    wait_until(lambda: in_mid_sampling(running, ids), 60, "sampling")
    ids += running.submit(1)
    kill(line.servers.valkey.pid)  # right after its last answer
    line.servers.valkey.process.wait()
    time.sleep(seconds)
    line.servers.start_valkey()
    running.wait_for(ids, JobStatus.SUCCEEDED, 120)
    assert {job.attempts for job in running.jobs(ids)} == {1}
    assert gpu_process_of(line.worker) == gpu_process
    assert line.keeper.process.poll() is None
    running.check_invariants(ids)
    wait_until(lambda: running.ready_workers() == running.workers_in_rq(), 30, "known to RQ again")


def test_what_was_accepted_outlives_every_kill_of_redis(tmp_path: Path) -> None:
    port = free_ports(["valkey"])["valkey"]
    settings = RedisSettings(redis_url=f"redis://127.0.0.1:{port}/0")
    accepted: list[str] = []
    for _ in range(KILLS):
        valkey = start_valkey(tmp_path / "valkey", tmp_path / "valkey.log", port)
        pair = connect(settings, name="test")
        store = JobStore(pair, JobSettings())
        for _ in range(JOBS_BETWEEN):
            job_id = new_job_id()
            store.create(NewJob(job_id, TENANT, tiny_request()))
            accepted.append(job_id)
        assert all(store.get(job_id) for job_id in accepted)
        kill(valkey.pid)
        valkey.process.wait()
        pair.durable.close()


def test_s3_is_away_when_pictures_are_finished(line: Line) -> None:
    running = line.processes
    line.servers.seaweed.stop(10)

    def waited() -> int:
        return line.worker.log.read_text().count("waiting: the object store")

    before = waited()
    ids = running.submit(3, num_images=2)
    wait_until(lambda: waited() > before, 60, "an upload that waits")
    assert running.statuses(ids)[JobStatus.RUNNING] > 0
    line.servers.start_seaweed()
    running.wait_for(ids, JobStatus.SUCCEEDED, 60)
    assert {job.attempts for job in running.jobs(ids)} == {1}
    running.check_invariants(ids)
