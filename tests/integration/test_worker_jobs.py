"""A worker process on real servers: tickets in, pictures out."""

import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.connections import connect
from shared.job import JobStatus
from shared.settings import RedisSettings, StorageSettings
from tessera.local.ports import free_ports
from tests.conftest import ValkeyServer
from tests.harness import (
    MODELS,
    SLOWED_WORKER,
    Processes,
    in_mid_sampling,
    processes,
    tiny_models_file,
    wait_until,
)


@pytest.fixture(scope="module")
def running(
    valkey: ValkeyServer,
    storage_settings: StorageSettings,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Processes]:
    """One worker for all tests of this module."""
    directory = tmp_path_factory.mktemp("worker")
    settings = RedisSettings(redis_url=valkey.url)
    pair = connect(settings, name="test")
    pair.durable.flushall()
    models_file = tiny_models_file(directory)
    port = free_ports(["metrics"])["metrics"]
    with (
        processes(
            directory, pair, settings, storage_settings, models_file, metrics_port=port
        ) as started,
        # Slow enough for `rq` to start while long jobs last.
        started.worker(module=SLOWED_WORKER, slowed_step_seconds=0.02),
    ):
        yield started
    pair.durable.close()


def test_jobs_become_pictures_in_shared_ticks(running: Processes) -> None:
    ids = [
        *running.submit(3, num_images=2),
        *running.submit(3, guidance_scale=1.0, steps=12, sampler="dpmpp_2m"),
        *running.submit(2, output={"format": "jpeg"}, sampler="euler_a"),
    ]
    running.wait_for(ids, JobStatus.SUCCEEDED, 60)
    running.check_invariants(ids)
    finished = 'tessera_jobs_finished_total{model="tiny",status="succeeded"} 8.0'
    wait_until(lambda: finished in metrics(running), 10, "counted, which comes after the commit")
    text = metrics(running)
    rows = [float(value) for value in re.findall(r"tessera_batch_rows_(?:sum|count) (\S+)", text)]
    assert len(rows) == 2
    assert max(rows) > 2 * min(rows), "ticks were shared by more than one guided sample"
    assert 'tessera_model_loaded{model="tiny"} 1.0' in text


def metrics(running: Processes) -> str:
    """What Prometheus would read."""
    port = running.environment["TESSERA_METRICS_PORT"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        return str(answer.read().decode())


def test_a_running_job_is_cancelled_at_once(running: Processes) -> None:
    (job_id,) = running.submit(1, steps=150, num_images=8)
    wait_until(lambda: running.statuses([job_id])[JobStatus.RUNNING] == 1, 30, "running")
    running.store.cancel(job_id)
    (after,) = running.submit(1)
    running.wait_for([after], JobStatus.SUCCEEDED, 30)
    running.check_invariants([job_id, after])


def test_rq_shows_the_worker_and_what_it_does(running: Processes) -> None:
    (worker,) = running.ready_workers()
    ids = running.submit(4, steps=150, num_images=8)  # half a minute of ticks
    wait_until(lambda: in_mid_sampling(running, ids), 30, "sampling")
    rq = Path(sys.executable).parent / "rq"
    command = [rq, "info", "--url", running.environment["TESSERA_REDIS_URL"], "--raw"]
    info = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.search(rf"worker {worker} .*\bbusy\b", info), info
    assert "queue tiny:normal 0" in info
    for job_id in ids:
        running.store.cancel(job_id)
    running.check_invariants(ids)


def test_a_worker_with_a_broken_model_says_so_and_ends(running: Processes, tmp_path: Path) -> None:
    models_file = tmp_path / "models.toml"
    models_file.write_text(MODELS)
    run = subprocess.run(
        [sys.executable, "-m", "worker"],
        env={
            **running.environment,
            "TESSERA_MODELS_FILE": str(models_file),
            "TESSERA_METRICS_PORT": "0",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 2
    assert "tessera worker: model tiny" in run.stderr
    assert "Traceback" not in run.stderr
