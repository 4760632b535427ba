"""SIGTERM: what fits the grace is finished, the rest goes back to the queue without blame."""

from collections.abc import Sequence

from shared.job import JobStatus
from shared.store.workers import WorkerState
from tests.faults.conftest import Line
from tests.harness import SLOWED_WORKER, Processes, wait_until

GRACE_SECONDS = 5

# Far more than the grace has time for, on any machine.
STEP_SECONDS = 0.05
LONG = {"steps": 150, "num_images": 8}
SHORT = {"steps": 20, "guidance_scale": 1.0, "priority": "high"}


def hosted(running: Processes, ids: Sequence[str], worker: str) -> list[str]:
    """The jobs whose newest attempt is that worker's."""
    return [job_id for job_id in ids if running.worker_of(job_id) == worker]


def state_of(running: Processes, worker_id: str) -> WorkerState | None:
    """What the worker says of itself, or None once it is gone."""
    states = {worker.id: worker.state for worker in running.store.live_workers()}
    return states.get(worker_id)


def test_a_worker_finishes_what_it_can_and_releases_the_rest(line: Line) -> None:
    running = line.processes
    survivors = running.ready_workers()
    with running.worker(
        "drained", SLOWED_WORKER, grace_seconds=GRACE_SECONDS, slowed_step_seconds=STEP_SECONDS
    ) as supervisor:
        (drained,) = running.ready_workers() - survivors
        long = running.submit(16, **LONG)
        wait_until(lambda: bool(hosted(running, long, drained)), 60, "long jobs there")
        short = running.submit(8, **SHORT)
        wait_until(lambda: bool(hosted(running, short, drained)), 60, "short jobs there")
        supervisor.process.terminate()
        wait_until(lambda: state_of(running, drained) is not WorkerState.READY, 30, "draining")
        with_short = hosted(running, short, drained)
        with_long = hosted(running, long, drained)
        assert supervisor.process.wait(30) == 0
    assert drained not in {worker.id for worker in running.store.live_workers()}
    released = running.jobs(with_long)
    assert all(job.crashes == 0 for job in released)
    assert all(job.status in (JobStatus.QUEUED, JobStatus.RUNNING) for job in released)
    for job_id in long:
        running.store.cancel(job_id)
    running.wait_for(short, JobStatus.SUCCEEDED, 60)
    assert {job.attempts for job in running.jobs(with_short)} == {1}
    running.check_invariants([*short, *long])
