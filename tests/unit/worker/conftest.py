"""A store with jobs in it and a shelf of tiny models, for the parts of the worker that need one."""

import pytest
from prometheus_client import CollectorRegistry

from shared.catalog import ModelDefaults, ModelEntry
from shared.ids import new_attempt_id, new_job_id
from shared.settings import JobSettings
from shared.store.job_store import JobStore
from shared.store.values import NewJob
from tests.harness import TENANT
from tests.tiny_model import build_tiny_sd
from tests.tiny_request import tiny_request
from worker.attempts import Attempt, Attempts
from worker.engine.batcher import Batcher
from worker.engine.engine import Engine
from worker.metrics import WorkerMetrics
from worker.models.device import DeviceSettings
from worker.models.load import estimate_bytes
from worker.pace import Pacer
from worker.shelf import Shelf

WORKER_ID = "tessera-test-1"


@pytest.fixture
def store(redis_pair):
    """An empty store."""
    return JobStore(redis_pair, JobSettings())


@pytest.fixture
def submit(store):
    """Makes a queued job; its id."""

    def submit(**fields):
        return store.create(NewJob(new_job_id(), TENANT, tiny_request(**fields))).job_id

    return submit


@pytest.fixture
def cancelled_samples():
    """Ids of jobs whose samples the engine was told to cancel."""
    return []


@pytest.fixture
def attempts(cancelled_samples):
    """Four slots."""
    return Attempts(4, cancelled_samples.append)


@pytest.fixture
def claim(store, submit, attempts):
    """Claims a new job; its attempt, which holds a slot."""

    def claim(**fields):
        submit(**fields)
        claimed = store.claim(["tiny"], new_attempt_id(), WORKER_ID)
        attempt = Attempt(claimed.job, claimed.attempt_id, suspect=False, sequence=0)
        attempts.add(attempt)
        return attempt

    return claim


@pytest.fixture(scope="session")
def entries(tmp_path_factory):
    """Two models of the same size."""
    path = build_tiny_sd(tmp_path_factory.mktemp("tiny"))
    defaults = ModelDefaults(width=64, height=64, steps=2)
    return [
        ModelEntry(id=name, family="sd", path=path, defaults=defaults) for name in ("one", "two")
    ]


@pytest.fixture
def registry():
    """What Prometheus would read."""
    return CollectorRegistry()


@pytest.fixture
def steppers():
    """Those of the models that are in memory."""
    return {}


@pytest.fixture
def shelf_engine(steppers):
    """Steps them."""
    engine = Engine(Batcher(lambda model: steppers[model].max_rows), steppers, lambda tick: None)
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture
def new_shelf(entries, steppers, registry):
    """Makes an empty shelf for so many models."""
    shelves = []

    def new_shelf(models_that_fit):
        cpu = DeviceSettings(device="cpu")
        budget = models_that_fit * estimate_bytes(entries[0], cpu)
        metrics = WorkerMetrics(registry, ["one", "two"])
        shelves.append(
            Shelf(entries, cpu, budget, steppers, lambda stepper: stepper, metrics, Pacer())
        )
        return shelves[-1]

    yield new_shelf
    for shelf in shelves:
        shelf.close()
