"""Workers that end in mid-sampling: the next ones go on from there, to the same pictures."""

import io
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from shared.connections import connect
from shared.job import JobStatus
from shared.settings import RedisSettings, StorageSettings
from shared.store import keys
from tessera.local.children import Child
from tests.conftest import ValkeyServer
from tests.harness import (
    SLOWED_WORKER,
    Processes,
    gpu_process_of,
    kill,
    later_attempts,
    processes,
    tiny_models_file,
    wait_until,
)
from worker.watchdog import HUNG

STEP_SECONDS = 0.05
INTERVAL_SECONDS = 1.0
JOBS = 8
STEPS = 60
LONG = {"steps": STEPS, "guidance_scale": 1.0}


@pytest.fixture(scope="module")
def alone(
    valkey: ValkeyServer,
    storage_settings: StorageSettings,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Processes]:
    """A keeper, and slowed workers as the tests start them."""
    directory = tmp_path_factory.mktemp("alone")
    settings = RedisSettings(redis_url=valkey.url)
    pair = connect(settings, name="test")
    pair.durable.flushall()
    with (
        processes(
            directory,
            pair,
            settings,
            storage_settings,
            tiny_models_file(directory),
            slowed_step_seconds=STEP_SECONDS,
            checkpoint_seconds=INTERVAL_SECONDS,
        ) as started,
        started.keeper(),
    ):
        yield started
    pair.durable.close()


@pytest.fixture(scope="module")
def struck(alone: Processes) -> Iterator[Child]:
    """The worker that the first tests strike and the drain ends; it hangs while a file exists."""
    with alone.worker(
        "struck",
        SLOWED_WORKER,
        stall_seconds=2,
        grace_seconds=0.5,
        slowed_hang_file=hang_file(alone),
    ) as child:
        yield child


def hang_file(running: Processes) -> Path:
    return running.directory / "hang"


def pictures(running: Processes, ids: list[str]) -> list[NDArray[np.uint8]]:
    """Their pixels."""
    keys = [image.key for job in running.jobs(ids) for image in job.images]
    return [np.asarray(Image.open(io.BytesIO(running.objects.get(key)))) for key in keys]


def all_beyond(running: Processes, ids: list[str], step: int) -> bool:
    return all(job.progress.step > step for job in running.jobs(ids))


def all_kept(running: Processes, ids: list[str]) -> bool:
    return running.redis.scratch.exists(*map(keys.checkpoints, ids)) == len(ids)


def test_the_gpu_process_is_killed_with_eight_samples_in_mid_sampling(
    alone: Processes, struck: Child
) -> None:
    undisturbed = alone.submit(JOBS, **LONG)
    alone.wait_for(undisturbed, JobStatus.SUCCEEDED, 60)
    (victim,) = alone.ready_workers()
    ids = alone.submit(JOBS, **LONG)
    wait_until(lambda: all_beyond(alone, ids, STEPS // 3), 60, "mid-sampling")
    wait_until(lambda: all_kept(alone, ids), 10, "checkpoints")
    kill(gpu_process_of(struck))
    requeued = alone.wait_for(ids, JobStatus.QUEUED, 30)
    ready = wait_until(lambda: bool(alone.ready_workers() - {victim}), 60, "a new worker")
    wait_until(lambda: len(later_attempts(struck)) == JOBS, 30, "resumed")
    alone.wait_for(ids, JobStatus.SUCCEEDED, 60)
    attempts = later_attempts(struck)
    print(f"re-queued after {requeued:.2f} s, ready {ready:.2f} s later; {attempts}")
    for found, wanted in zip(pictures(alone, ids), pictures(alone, undisturbed), strict=True):
        assert np.abs(found.astype(int) - wanted).max() <= 1
    assert all(line["saved"] > 0 for line in attempts)
    alone.check_invariants(ids)


def test_a_hang_ends_the_process_and_nothing_else(alone: Processes, struck: Child) -> None:
    ids = alone.submit(2, **LONG)
    wait_until(lambda: all_beyond(alone, ids, 5), 60, "mid-sampling")
    hang_file(alone).touch()
    wait_until(lambda: f'"status":{HUNG}' in struck.log.read_text(), 60, "the process' end")
    hang_file(alone).unlink()
    alone.wait_for(ids, JobStatus.SUCCEEDED, 60)
    assert {job.crashes for job in alone.jobs(ids)} == {1}
    alone.check_invariants(ids)


def test_a_drain_hands_everything_over_within_three_seconds(
    alone: Processes, struck: Child, tmp_path: Path
) -> None:
    ids = alone.submit(JOBS, **LONG)
    wait_until(lambda: all_beyond(alone, ids, STEPS // 3), 60, "mid-sampling")
    began = time.monotonic()
    struck.process.terminate()
    assert struck.process.wait(30) == 0
    print(f"exit after {time.monotonic() - began:.2f} s")
    assert alone.statuses(ids) == {JobStatus.QUEUED: JOBS}
    notice = tmp_path / "notice"
    with alone.worker("next", SLOWED_WORKER, spot_notice_file=notice) as following:
        alone.wait_for(ids, JobStatus.SUCCEEDED, 60)
        # What was ticked between the last copy and the end of the sample.
        assert all(line["repeated"] <= 2 for line in later_attempts(following))
        assert {(job.attempts, job.crashes) for job in alone.jobs(ids)} == {(2, 0)}
        alone.check_invariants(ids)
        notice.touch()  # it says what SIGTERM says
        assert following.process.wait(30) == 0
