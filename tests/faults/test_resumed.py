"""Workers that end in mid-sampling: the next ones go on from there, to the same pictures."""

import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.job import JobStatus
from tessera.local.children import Child
from tests.faults.conftest import LEASE_SECONDS
from tests.harness import Processes, gpu_process_of, kill, wait_until
from worker.watchdog import HUNG

STEP_SECONDS = 0.05
INTERVAL_SECONDS = 1.0
JOBS = 8
STEPS = 40
LONG = {"steps": STEPS, "guidance_scale": 1.0}


@contextmanager
def worker(
    running: Processes, name: str, step_seconds: float = STEP_SECONDS, **environment: object
) -> Iterator[Child]:
    with running.slowed_worker(
        name,
        step_seconds=step_seconds,
        checkpoint_seconds=INTERVAL_SECONDS,
        **environment,
    ) as child:
        yield child


def undisturbed(running: Processes) -> list[NDArray[np.uint8]]:
    """The same jobs' pictures, made by a worker that nobody disturbs."""
    with running.worker("undisturbed"):
        ids = running.submit(JOBS, **LONG)
        running.wait_for(ids, JobStatus.SUCCEEDED, 60)
    return pictures(running, ids)


def pictures(running: Processes, ids: list[str]) -> list[NDArray[np.uint8]]:
    """Their pixels."""
    keys = [image.key for job in running.jobs(ids) for image in job.images]
    return [np.asarray(Image.open(io.BytesIO(running.objects.get(key)))) for key in keys]


def all_beyond(running: Processes, ids: list[str], step: int) -> bool:
    return all(job.progress.step > step for job in running.jobs(ids))


def later_attempts(child: Child) -> list[dict[str, int]]:
    """What the worker's log says of the attempts that were not their jobs' first."""
    lines = [json.loads(line) for line in child.log.read_text().splitlines() if line[:1] == "{"]
    return [line for line in lines if line["message"] == "a later attempt begins"]


def test_the_gpu_process_is_killed_with_eight_samples_in_mid_sampling(alone: Processes) -> None:
    expected = undisturbed(alone)
    with worker(alone, "killed") as child:
        (victim,) = alone.ready_workers()
        ids = alone.submit(JOBS, **LONG)
        wait_until(lambda: all_beyond(alone, ids, STEPS // 3), 60, "mid-sampling")
        kill(gpu_process_of(child))
        requeued = alone.wait_for(ids, JobStatus.QUEUED, 10)
        ready = wait_until(lambda: bool(alone.ready_workers() - {victim}), 60, "a new worker")
        wait_until(lambda: len(later_attempts(child)) == JOBS, 30, "resumed")
        alone.wait_for(ids, JobStatus.SUCCEEDED, 60)
        attempts = later_attempts(child)
    print(f"re-queued after {requeued:.2f} s, ready {ready:.2f} s later; {attempts}")
    for found, wanted in zip(pictures(alone, ids), expected, strict=True):
        assert np.abs(found.astype(int) - wanted).max() <= 1
    assert all(line["saved"] > 0 for line in attempts)
    alone.check_invariants(ids)


def test_a_whole_host_is_lost(alone: Processes) -> None:
    # So slow that the other worker can start meanwhile.
    with worker(alone, "lost", step_seconds=20 * STEP_SECONDS) as lost:
        ids = alone.submit(JOBS, **LONG)
        wait_until(lambda: JobStatus.QUEUED not in alone.statuses(ids), 60, "all there")
        with worker(alone, "other") as other:
            wait_until(lambda: all_beyond(alone, ids, 2), 60, "mid-sampling")
            kill(lost.pid, gpu_process_of(lost))
            lost.process.wait()
            began = time.monotonic()
            wait_until(
                lambda: len(later_attempts(other)) == JOBS, LEASE_SECONDS + 10, "resumed elsewhere"
            )
            print(f"resumed elsewhere after {time.monotonic() - began:.1f} s")
            alone.wait_for(ids, JobStatus.SUCCEEDED, 60)
            assert all(line["saved"] > 0 for line in later_attempts(other))
    alone.check_invariants(ids)


def test_a_drain_hands_everything_over_within_three_seconds(alone: Processes) -> None:
    with worker(alone, "drained", grace_seconds=0.5) as drained:
        ids = alone.submit(JOBS, **LONG)
        wait_until(lambda: all_beyond(alone, ids, STEPS // 3), 60, "mid-sampling")
        began = time.monotonic()
        drained.process.terminate()
        assert drained.process.wait(30) == 0
        print(f"exit after {time.monotonic() - began:.2f} s")
    assert alone.statuses(ids) == {JobStatus.QUEUED: JOBS}
    with worker(alone, "next") as following:
        alone.wait_for(ids, JobStatus.SUCCEEDED, 60)
        # What was ticked between the last copy and the end of the sample.
        assert all(line["repeated"] <= 2 for line in later_attempts(following))
    assert {(job.attempts, job.crashes) for job in alone.jobs(ids)} == {(2, 0)}
    alone.check_invariants(ids)


def test_a_hang_ends_the_process_and_nothing_else(alone: Processes, tmp_path: Path) -> None:
    hang = tmp_path / "hang"
    with worker(alone, "hung", stall_seconds=2, slowed_hang_file=hang) as hung:
        ids = alone.submit(2, **LONG)
        wait_until(lambda: all_beyond(alone, ids, 5), 60, "mid-sampling")
        hang.touch()
        wait_until(lambda: f'"status":{HUNG}' in hung.log.read_text(), 60, "the process' end")
        hang.unlink()
        alone.wait_for(ids, JobStatus.SUCCEEDED, 60)
    assert {job.crashes for job in alone.jobs(ids)} == {1}
    alone.check_invariants(ids)


def test_a_notice_drains_the_worker(alone: Processes, tmp_path: Path) -> None:
    notice = tmp_path / "notice"
    with worker(alone, "noticed", spot_notice_file=notice) as noticed:
        notice.touch()
        assert noticed.process.wait(30) == 0
