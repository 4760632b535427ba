"""One attempt from claim to commit, with a tiny model in this process, on real servers."""

import dataclasses
import io

import pytest
from PIL import Image
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from shared.catalog import ModelEntry
from shared.errors import GenerationInvalid
from shared.ids import attempt_prefix, input_key, job_prefix, new_attempt_id, new_job_id
from shared.job import JobStatus
from shared.objects import ObjectStore
from shared.queue import TicketQueue
from shared.request import InputRef
from shared.settings import JobSettings, StorageSettings
from shared.store.job_store import JobStore
from shared.store.values import NewJob
from tests.harness import TENANT
from tests.tiny_model import build_tiny_sd
from tests.tiny_request import tiny_request
from worker.attempts import Attempt, Ending
from worker.compressors import Compressors
from worker.engine.batcher import Batcher
from worker.engine.engine import Engine
from worker.flight_record import FlightRecord
from worker.metrics import WorkerMetrics
from worker.models.device import DeviceSettings
from worker.models.load import load_model
from worker.recorded_stepper import RecordedStepper
from worker.tasks import Workshop, work


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = build_tiny_sd(tmp_path_factory.mktemp("model") / "tiny")
    entry = ModelEntry.model_validate({"id": "tiny", "family": "sd", "path": path})
    model = load_model(entry, DeviceSettings(device="cpu"))
    yield model
    model.close()


@pytest.fixture
def store(redis_pair):
    return JobStore(redis_pair, JobSettings())


@pytest.fixture
def shop(model, store, objects, redis_settings):
    """A workshop whose engine runs."""
    record = FlightRecord(slots=4)
    metrics = WorkerMetrics(CollectorRegistry())
    stepper = RecordedStepper(model.stepper, record)
    engine = Engine(
        Batcher(lambda model: stepper.max_rows), {"tiny": stepper}, metrics.observe_tick
    )
    tickets = TicketQueue(redis_settings)
    engine.start()
    compressors = Compressors(1)
    yield Workshop(
        store, objects, tickets, engine, compressors, {"tiny": model}, record, metrics, 10.0
    )
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


def objects_of(shop, attempt):
    job = attempt.job
    return shop.objects.list_keys(attempt_prefix(job.tenant, job.id, attempt.attempt_id))


def test_every_picture_is_stored_and_told(shop, store, submit, claim):
    job_id = submit(num_images=2)
    attempt = claim()
    work(shop, attempt)
    job = store.get(job_id)
    assert job.status is JobStatus.SUCCEEDED
    assert [(image.index, image.seed) for image in job.images] == [(0, 1), (1, 2)]
    assert [image.key for image in job.images] == objects_of(shop, attempt)
    assert [len(shop.objects.get(image.key)) for image in job.images] == [
        image.bytes for image in job.images
    ]
    stages = job.timing.model_dump()
    assert all(milliseconds is not None for milliseconds in stages.values())


def test_a_later_attempt_skips_pictures_that_are_done(shop, store, submit, claim):
    job_id = submit(num_images=2)
    first = claim()
    work(dataclasses.replace(shop, store=ReleasingStore(store, after=1)), first)
    assert store.get(job_id).status is JobStatus.QUEUED
    second = claim()
    work(shop, second)
    job = store.get(job_id)
    assert job.status is JobStatus.SUCCEEDED
    assert [image.key for image in job.images] == objects_of(shop, first) + objects_of(shop, second)


def test_a_picture_is_made_from_another(shop, store, submit, claim, stored_input):
    job_id = submit(image=stored_input("in_picture"), strength=0.5)
    attempt = claim()
    work(shop, attempt)
    assert store.get(job_id).status is JobStatus.SUCCEEDED
    assert [sample.ticks for sample in attempt.samples] == [4]


def test_a_picture_that_is_gone_fails_its_job(shop, store, submit, claim):
    job_id = submit(image=InputRef(id="in_gone", width=64, height=64))
    work(shop, claim())
    job = store.get(job_id)
    assert job.status is JobStatus.FAILED
    assert job.error.code == "input_gone"


class ReleasingStore:
    """The store, for an attempt that loses its job after it has told some pictures."""

    def __init__(self, store, after):
        self._store = store
        self._left = after

    def __getattr__(self, name):
        return getattr(self._store, name)

    def add_image(self, job_id, attempt_id, image):
        if self._left == 0:
            self._store.release(job_id, attempt_id)
        self._left -= 1
        return self._store.add_image(job_id, attempt_id, image)


def test_a_lost_attempt_removes_what_it_has_stored(shop, store, submit, claim):
    submit()
    attempt = claim()
    store.release(attempt.job.id, attempt.attempt_id)
    other = claim()
    work(shop, attempt)
    assert objects_of(shop, attempt) == []
    assert store.get(other.job.id).status is JobStatus.RUNNING


def test_a_cancelled_job_leaves_the_engine(shop, store, submit, claim):
    job_id = submit(steps=150)
    attempt = claim()
    store.cancel(job_id)
    attempt.end(Ending.CANCELED)  # before there is a sample that could be cancelled
    work(shop, attempt)
    assert all(sample.tick < 150 for sample in attempt.samples)
    assert store.get(job_id).status is JobStatus.CANCELED
    assert shop.objects.list_keys(job_prefix(TENANT, job_id)) == []


def test_a_released_job_goes_back_with_a_ticket(shop, store, submit, claim):
    job_id = submit(steps=150)
    attempt = claim()
    attempt.end(Ending.RELEASED)
    work(shop, attempt)
    job = store.get(job_id)
    assert (job.status, job.crashes) == (JobStatus.QUEUED, 0)
    assert sum(shop.tickets.counts(["tiny"]).values()) == 1


def test_s3_may_not_stay_away_for_ever(shop, store, submit, claim):
    nowhere = StorageSettings(
        s3_endpoint_url="http://127.0.0.1:1",
        s3_access_key_id="test",
        s3_secret_access_key=SecretStr("test"),
    )
    poor = dataclasses.replace(shop, objects=ObjectStore(nowhere), storage_patience_seconds=0.01)
    job_id = submit()
    for _ in range(JobSettings().max_attempts):
        assert store.get(job_id).status is JobStatus.QUEUED
        work(poor, claim())
    job = store.get(job_id)
    assert job.status is JobStatus.FAILED
    assert (job.error.code, job.error.retryable) == ("storage_unavailable", True)


class SpoiltModel:
    """The tiny model, with an error in place of pictures."""

    def __init__(self, model, error):
        self._model = model
        self._error = error

    def prepare(self, *args):
        return self._model.prepare(*args)

    def decode(self, latent):
        raise self._error


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (GenerationInvalid("no picture"), JobStatus.FAILED, "generation_invalid"),
        (ValueError("a defect"), JobStatus.QUEUED, None),
    ],
)
def test_a_failure_is_the_jobs_alone(shop, store, submit, claim, model, error, status, code):
    job_id = submit()
    work(dataclasses.replace(shop, models={"tiny": SpoiltModel(model, error)}), claim())
    job = store.get(job_id)
    assert job.status is status
    assert (job.error.code if job.error else None) == code
    assert shop.engine.alive
