"""Two models in one worker whose memory takes one and a half: both are served."""

import re
import urllib.request
from collections.abc import Iterator

import pytest

from shared.catalog import load_catalog
from shared.connections import connect
from shared.job import JobStatus
from shared.settings import RedisSettings, StorageSettings
from tessera.local.ports import free_ports
from tests.conftest import ValkeyServer
from tests.harness import Processes, processes, wait_until
from tests.tiny_model import build_tiny_sd
from tests.tiny_sdxl import build_tiny_sdxl
from worker.models.device import DeviceSettings
from worker.models.load import estimate_bytes

PATIENCE_SECONDS = 0.5

MODELS = """
default = "tiny"

[[models]]
id = "tiny"
family = "sd"
path = "tiny"
defaults = { width = 64, height = 64, steps = 2 }

[[models]]
id = "tiny-xl"
family = "sdxl"
path = "tiny-xl"
defaults = { width = 64, height = 64, steps = 2 }
"""


@pytest.fixture(scope="module")
def running(
    valkey: ValkeyServer,
    storage_settings: StorageSettings,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Processes]:
    """A worker that can hold either of the two models, not both."""
    directory = tmp_path_factory.mktemp("models")
    build_tiny_sd(directory / "tiny")
    build_tiny_sdxl(directory / "tiny-xl")
    models_file = directory / "models.toml"
    models_file.write_text(MODELS)
    cpu = DeviceSettings(device="cpu")
    sizes = sorted(estimate_bytes(entry, cpu) for entry in load_catalog(models_file).models)
    settings = RedisSettings(redis_url=valkey.url)
    pair = connect(settings, name="test")
    pair.durable.flushall()
    port = free_ports(["metrics"])["metrics"]
    with (
        processes(
            directory, pair, settings, storage_settings, models_file, metrics_port=port
        ) as started,
        started.worker(
            model_memory_gib=(sizes[1] + sizes[0] / 2) / 2**30,
            model_patience_seconds=PATIENCE_SECONDS,
        ),
    ):
        yield started
    pair.durable.close()


def test_both_are_served_and_one_makes_room_for_the_other(running: Processes) -> None:
    assert loaded(running) == {"tiny"}
    ids = []
    for _ in range(2):
        ids += running.submit(3, model="tiny", steps=20)
        ids += running.submit(3, model="tiny-xl", steps=20)
    running.wait_for(ids, JobStatus.SUCCEEDED, 100)
    running.check_invariants(ids)

    assert {job.attempts for job in running.jobs(ids)} == {1}
    assert metric(running, "tessera_model_evictions_total", "tiny") >= 1
    assert len(loaded(running)) == 1
    wait_until(lambda: set(held(running)) == loaded(running), 10, "told in the worker's record")


def test_models_are_not_swapped_for_each_job(running: Processes) -> None:
    before = evictions(running)
    models = ("tiny", "tiny-xl") * 6
    ids = [job_id for model in models for job_id in running.submit(1, model=model)]
    running.wait_for(ids, JobStatus.SUCCEEDED, 100)
    assert evictions(running) - before <= 2
    running.check_invariants(ids)


def evictions(running: Processes) -> float:
    """Since the worker's start, of both models."""
    return sum(
        metric(running, "tessera_model_evictions_total", model) for model in ("tiny", "tiny-xl")
    )


def test_a_model_that_nobody_wants_leaves_at_once(running: Processes) -> None:
    (present,) = loaded(running)
    (other,) = {"tiny", "tiny-xl"} - {present}
    evictions = metric(running, "tessera_model_evictions_total", present)
    ids = running.submit(1, model=other)
    running.wait_for(ids, JobStatus.SUCCEEDED, 60)

    assert loaded(running) == {other}
    assert metric(running, "tessera_model_evictions_total", present) == evictions + 1
    assert metric(running, "tessera_model_load_seconds", other) > 0
    assert metric(running, "tessera_model_bytes", other) == held(running)[other]


def held(running: Processes) -> dict[str, int]:
    """What the worker tells of its models: their bytes."""
    (worker,) = running.store.live_workers()
    assert worker.models == tuple(worker.held)
    return {model: facts.bytes for model, facts in worker.held.items()}


def loaded(running: Processes) -> set[str]:
    """The models in memory, as Prometheus would read it."""
    return {
        model
        for model in ("tiny", "tiny-xl")
        if metric(running, "tessera_model_loaded", model) == 1
    }


def metric(running: Processes, name: str, model: str) -> float:
    """The value of a model's series; 0 where there is none."""
    port = running.environment["TESSERA_METRICS_PORT"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    found = re.search(rf'^{name}{{model="{model}"}} (\S+)$', text, re.MULTILINE)
    return float(found[1]) if found else 0.0
