"""A workshop with a tiny model in this process, on real servers, and attempts for it."""

import io

import pytest
import torch
from PIL import Image
from prometheus_client import CollectorRegistry

from shared.catalog import ModelEntry
from shared.ids import input_key, new_attempt_id, new_job_id
from shared.queue import TicketQueue
from shared.request import InputRef
from shared.settings import JobSettings
from shared.store.job_store import JobStore
from shared.store.values import NewJob
from tests.harness import TENANT
from tests.tiny_model import build_tiny_sd
from tests.tiny_request import tiny_request
from worker.attempts import Attempt, Attempts
from worker.checkpoint import Checkpointer
from worker.compressors import Compressors
from worker.engine.batcher import Batcher
from worker.engine.engine import Engine
from worker.flight_record import FlightRecord
from worker.metrics import WorkerMetrics
from worker.models.device import DeviceSettings
from worker.models.load import load_model
from worker.pace import Pacer
from worker.previews import Previews
from worker.recorded_stepper import RecordedStepper
from worker.spool import Spool
from worker.workshop import Workshop


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = build_tiny_sd(tmp_path_factory.mktemp("model") / "tiny")
    entry = ModelEntry.model_validate({"id": "tiny", "family": "sd", "path": path})
    model = load_model(entry, DeviceSettings(device="cpu"))
    model.fit_previews()
    yield model
    model.close()


@pytest.fixture
def store(redis_pair):
    return JobStore(redis_pair, JobSettings())


@pytest.fixture
def attempts():
    """Slots, for attempts whose samples shall be kept."""
    return Attempts(4, lambda job_id: None)


@pytest.fixture
def shop(model, store, objects, redis_settings, attempts):
    """A workshop whose engine runs; nobody looks whether a checkpoint is due."""
    record = FlightRecord(slots=4)
    metrics = WorkerMetrics(CollectorRegistry())
    stepper = RecordedStepper(model.stepper, record)
    batcher = Batcher(lambda model: stepper.max_rows)
    engine = Engine(batcher, {"tiny": stepper}, metrics.observe_tick, torch.inference_mode)
    tickets = TicketQueue(redis_settings)
    engine.start()
    compressors = Compressors(1)
    pacer = Pacer()
    pacer.loaded(
        "tiny", max_rows=4, cell_pixels=4, pixels=4096, tick_seconds={2: 0.01}, load_seconds=0.0
    )
    previews = Previews(store, compressors)
    previews.start()
    yield Workshop(
        store=store,
        objects=objects,
        tickets=tickets,
        engine=engine,
        compressors=compressors,
        models={"tiny": model},
        record=record,
        metrics=metrics,
        pacer=pacer,
        checkpointer=Checkpointer(store, engine, attempts, seconds=2.0),
        spool=Spool(None, 2**20),
        storage_patience_seconds=10.0,
        previews=previews,
    )
    previews.stop()
    compressors.close()
    engine.stop()
    tickets.close()
    assert record.blamed() == frozenset()


@pytest.fixture
def submit(store):
    def submit(**fields):
        return store.create(NewJob(new_job_id(), TENANT, tiny_request(**fields))).job_id

    return submit


@pytest.fixture
def claim(store):
    def claim():
        claimed = store.claim(["tiny"], new_attempt_id(), "tessera-test-1")
        return Attempt(claimed.job, claimed.attempt_id, suspect=claimed.suspect, sequence=0)

    return claim


@pytest.fixture
def stored_input(objects):
    """Stores a grey gradient as the gateway does; how a request names it."""

    def store_input(name, width=64, height=64):
        picture = Image.linear_gradient("L").resize((width, height)).convert("RGB")
        stream = io.BytesIO()
        picture.save(stream, "PNG")
        objects.put(input_key(TENANT, name), stream.getvalue(), "image/png")
        return InputRef(id=name, width=width, height=height)

    return store_input
