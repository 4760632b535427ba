"""Processes that die without a word: their jobs are done once each, and nothing is left of them."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from rq.registry import FailedJobRegistry, StartedJobRegistry

from shared.ids import job_prefix
from shared.job import JobStatus
from shared.queue import queue_name
from shared.request import PRIORITIES
from shared.store import keys
from tessera.local.children import Child
from tests.faults.conftest import LEASE_SECONDS, STEP_SECONDS, Line
from tests.harness import (
    SLOWED_WORKER,
    TENANT,
    Processes,
    gpu_process_of,
    in_mid_sampling,
    kill,
    later_attempts,
    logged,
    wait_until,
)
from tests.receiver import Receiver

# Long enough to be killed in the middle, without guidance so that it is not longer.
LONG = {"steps": 60, "guidance_scale": 1.0}


def assert_rq_has_no_trace(running: Processes) -> None:
    """No ghost, no running or failed job, and within a minute no key that stays."""
    names = [queue_name("tiny", priority) for priority in PRIORITIES]

    def settled() -> bool:
        failed = [FailedJobRegistry(name, running.rq) for name in names]
        started = [StartedJobRegistry(name, running.rq) for name in names]
        counts = [registry.get_job_count(cleanup=False) for registry in (*failed, *started)]
        ghosts = running.workers_in_rq() - running.ready_workers()
        return not (any(counts) or ghosts or running.lasting_keys())

    wait_until(settled, 60, "no trace in RQ")


def test_the_gpu_process_is_killed_with_eight_jobs_in_flight(
    line: Line, receiver: Receiver
) -> None:
    running = line.processes
    (victim,) = running.ready_workers()
    ids = running.submit(8, webhook_url=receiver.url, **LONG)
    wait_until(lambda: in_mid_sampling(running, ids), 60, "sampling")
    kill(gpu_process_of(line.worker))
    requeued = running.wait_for(ids, JobStatus.QUEUED, 30)
    ready = wait_until(lambda: bool(running.ready_workers() - {victim}), 60, "a new worker")
    claimed = wait_until(lambda: JobStatus.RUNNING in running.statuses(ids), 30, "running again")
    print(f"re-queued after {requeued:.2f} s, ready {ready:.2f} s, running {claimed:.2f} s later")
    running.wait_for(ids, JobStatus.SUCCEEDED, 120)
    assert {job.attempts for job in running.jobs(ids)} == {2}
    running.check_invariants(ids)
    running.check_webhooks(receiver, ids)
    assert len(receiver.bodies()) == 2 * len(ids)  # started once, though there were two attempts
    assert_rq_has_no_trace(running)


def test_a_job_that_kills_its_worker_fails_and_others_do_not(line: Line) -> None:
    running = line.processes
    (poison,) = running.submit(steps=150, guidance_scale=1.0)
    for attempt in (1, 2, 3):
        wait_until(partial(on_its_attempt, running, poison, attempt), 60, f"attempt {attempt}")
        kill(gpu_process_of(line.worker))
        running.redis.scratch.delete(keys.progress(poison))  # or it tells of the next attempt, too
    running.wait_for([poison], JobStatus.FAILED, 20)
    (job,) = running.jobs([poison])
    assert job.error is not None
    assert job.error.code == "worker_lost"
    assert job.crashes == 3
    ids = running.submit(2)
    running.wait_for(ids, JobStatus.SUCCEEDED, 60)
    running.check_invariants([poison, *ids])


def on_its_attempt(running: Processes, job_id: str, attempt: int) -> bool:
    """Whether that attempt at the job is in mid-sampling."""
    (job,) = running.jobs([job_id])
    return job.attempts == attempt and in_mid_sampling(running, [job_id])


def test_a_whole_host_is_lost_with_another_worker_up(line: Line) -> None:
    running = line.processes
    survivors = running.ready_workers()
    slowed = {"slowed_step_seconds": 0.05, "checkpoint_seconds": 1}
    with running.worker("victim", SLOWED_WORKER, **slowed) as supervisor:
        (victim,) = running.ready_workers() - survivors
        ids = running.submit(16, **LONG)

        def kept() -> list[str]:
            """Its jobs that have a checkpoint."""
            return [
                job.id
                for job in running.jobs(ids)
                if job.status is JobStatus.RUNNING
                and running.worker_of(job.id) == victim
                and running.redis.scratch.exists(keys.checkpoints(job.id))
            ]

        wait_until(lambda: bool(kept()), 60, "mid-sampling")
        resumable = kept()
        kill(supervisor.pid, gpu_process_of(supervisor))
        supervisor.process.wait()
    lost = [
        job.id
        for job in running.jobs(ids)
        if not job.status.terminal and running.worker_of(job.id) == victim
    ]
    assert set(resumable) & set(lost)
    moved = wait_until(
        lambda: all(running.worker_of(job_id) != victim for job_id in lost),
        LEASE_SECONDS + 15,
        "running elsewhere",
    )
    print(f"running elsewhere after {moved:.2f} s with leases of {LEASE_SECONDS} s")
    running.wait_for(ids, JobStatus.SUCCEEDED, 120)
    saved = {entry["job_id"]: entry["saved"] for entry in later_attempts(line.worker)}
    assert set(lost) <= set(saved)
    assert all(saved[job_id] > 0 for job_id in resumable if job_id in lost)
    running.check_invariants(ids)
    assert_rq_has_no_trace(running)


@dataclass(frozen=True)
class Second:
    """A worker beside the line's own."""

    child: Child
    worker_id: str


@pytest.fixture(scope="module")
def second(line: Line) -> Iterator[Second]:
    """For the tests below, the last of which ends it."""
    before = line.processes.ready_workers()
    slowed = {"slowed_step_seconds": STEP_SECONDS}
    with line.processes.worker("second", SLOWED_WORKER, **slowed) as child:
        (worker_id,) = line.processes.ready_workers() - before
        yield Second(child, worker_id)


def test_a_stopped_worker_comes_back_too_late(line: Line, second: Second) -> None:
    running = line.processes
    ids = running.submit(16, **LONG)
    wait_until(lambda: in_mid_sampling(running, ids), 60, "sampling")
    hosted = [job_id for job_id in ids if running.worker_of(job_id) == second.worker_id]
    gpu_process = gpu_process_of(second.child)
    stopped = time.monotonic()
    os.kill(gpu_process, signal.SIGSTOP)
    running.wait_for(ids, JobStatus.SUCCEEDED, 120)
    print(f"all done {time.monotonic() - stopped:.1f} s after the stop")
    os.kill(gpu_process, signal.SIGCONT)
    assert hosted
    before = [job.images for job in running.jobs(hosted)]
    more = running.submit(1)
    running.wait_for(more, JobStatus.SUCCEEDED, 60)
    wait_until(lambda: attempts_are_over(second.child), 60, "the zombie's attempts over")
    assert [job.images for job in running.jobs(hosted)] == before
    running.check_invariants([*ids, *more])
    named = {image.key for job in running.jobs(hosted) for image in job.images}
    stored = {key for job in running.jobs(hosted) for key in keys_of(running, job.id)}
    assert named == stored


def attempts_are_over(worker: Child) -> bool:
    """Whether each attempt that its log tells of has ended there, too."""
    told = Counter(entry["message"] for entry in logged(worker))
    ends = ("attempt ended", "attempt failed", "job succeeded")
    return told["attempt begins"] == sum(told[end] for end in ends)


def keys_of(running: Processes, job_id: str) -> list[str]:
    """Keys of the objects that lie in S3 for that job."""
    return running.objects.list_keys(job_prefix(TENANT, job_id))


def test_the_supervisor_alone_is_killed(line: Line, second: Second) -> None:
    running = line.processes
    gpu_process = gpu_process_of(second.child)
    ids = running.submit(16, **LONG)
    wait_until(lambda: in_mid_sampling(running, ids), 60, "sampling")
    kill(second.child.pid)
    second.child.process.wait()
    wait_until(lambda: not process_exists(gpu_process), 20, "the orphan's end")
    running.wait_for(ids, JobStatus.SUCCEEDED, 120)
    assert all(job.crashes == 0 for job in running.jobs(ids))
    running.check_invariants(ids)
    assert_rq_has_no_trace(running)
    assert second.worker_id not in running.ready_workers()


def process_exists(pid: int) -> bool:
    """Whether it runs, or waits for a parent to fetch its status."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"
