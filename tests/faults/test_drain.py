"""SIGTERM: what fits the grace is finished, the rest goes back to the queue without blame."""

from shared.job import JobStatus
from tests.faults.conftest import Line
from tests.harness import in_mid_sampling, wait_until

LONG = {"steps": 60, "guidance_scale": 1.0}


def test_a_worker_finishes_what_it_has(line: Line) -> None:
    running = line.processes
    survivors = running.ready_workers()
    with running.worker("patient") as supervisor:
        (patient,) = running.ready_workers() - survivors
        ids = running.submit(16, **LONG)
        wait_until(lambda: in_mid_sampling(running, ids), 60, "sampling")
        supervisor.process.terminate()
        assert supervisor.process.wait(60) == 0
    assert patient not in {worker.id for worker in running.store.live_workers()}
    running.wait_for(ids, JobStatus.SUCCEEDED, 120)
    assert {job.attempts for job in running.jobs(ids)} == {1}
    running.check_invariants(ids)


def test_a_worker_releases_what_it_cannot_finish(line: Line) -> None:
    running = line.processes
    survivors = running.ready_workers()
    with running.worker("hasty", grace_seconds=0.1) as supervisor:
        (hasty,) = running.ready_workers() - survivors
        ids = running.submit(16, **LONG)
        wait_until(lambda: in_mid_sampling(running, ids), 60, "sampling")
        hosted = [job_id for job_id in ids if running.worker_of(job_id) == hasty]
        assert hosted
        supervisor.process.terminate()
        assert supervisor.process.wait(30) == 0
    running.wait_for(ids, JobStatus.SUCCEEDED, 120)
    jobs = running.jobs(hosted)
    assert any(job.attempts == 2 for job in jobs)
    assert all(job.crashes == 0 for job in jobs)
    running.check_invariants(ids)
