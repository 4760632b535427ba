"""Redis and S3 go away and come back: nothing is lost, nothing is done twice, nobody dies."""

import time

from shared.job import JobStatus
from tests.faults.conftest import LEASE_SECONDS, Line
from tests.harness import gpu_process_of, in_mid_sampling, kill, wait_until

# Longer than a lease, so that only the reaper's caution saves the live worker's jobs.
OUTAGE_SECONDS = LEASE_SECONDS + 2


def test_redis_is_away_for_longer_than_a_lease(line: Line) -> None:
    running = line.processes
    gpu_process = gpu_process_of(line.worker)
    ids = running.submit(8, steps=60, guidance_scale=1.0)
    wait_until(lambda: in_mid_sampling(running, ids), 60, "sampling")
    ids += running.submit(1)
    kill(line.servers.valkey.pid)  # right after its last answer
    line.servers.valkey.process.wait()
    time.sleep(OUTAGE_SECONDS)
    line.servers.start_valkey()
    running.wait_for(ids, JobStatus.SUCCEEDED, 120)
    assert {job.attempts for job in running.jobs(ids)} == {1}
    assert gpu_process_of(line.worker) == gpu_process
    assert line.keeper.process.poll() is None
    running.check_invariants(ids)
    wait_until(lambda: running.ready_workers() == running.workers_in_rq(), 30, "known to RQ again")


def test_s3_is_away_when_pictures_are_finished(line: Line) -> None:
    running = line.processes
    line.servers.seaweed.stop(10)
    ids = running.submit(3, num_images=2)
    log = line.worker.log
    wait_until(lambda: "waiting: the object store" in log.read_text(), 60, "an upload that waits")
    assert running.statuses(ids)[JobStatus.RUNNING] > 0
    line.servers.start_seaweed()
    running.wait_for(ids, JobStatus.SUCCEEDED, 60)
    assert {job.attempts for job in running.jobs(ids)} == {1}
    running.check_invariants(ids)
