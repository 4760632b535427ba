"""One attempt from claim to commit, with a tiny model in this process, on real servers."""

import dataclasses
import io

import pytest
from PIL import Image
from pydantic import SecretStr

from shared.errors import GenerationInvalid
from shared.ids import attempt_prefix, job_prefix
from shared.job import JobStatus
from shared.objects import ObjectStore
from shared.settings import JobSettings, StorageSettings
from tests.harness import TENANT
from tests.tiny_checker import build_tiny_checker
from worker.attempts import Ending
from worker.models.device import DeviceSettings, resolve_device
from worker.models.image import Decoding
from worker.models.safety import load_safety_checker
from worker.tasks import work


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
    # Either picture may have been the first to be finished.
    kept = objects_of(shop, first) + objects_of(shop, second)
    assert sorted(image.key for image in job.images) == sorted(kept)


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

    def fits(self, request):
        return self._model.fits(request)

    def decode(self, latent, decoding=Decoding.WHOLE):
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


def test_a_flagged_picture_is_black_and_the_job_says_so(shop, store, submit, claim, tmp_path):
    cpu = resolve_device(DeviceSettings(device="cpu"))
    checker = load_safety_checker(build_tiny_checker(tmp_path, threshold=-2.0), cpu)
    job_id = submit(num_images=1)
    work(dataclasses.replace(shop, safety=checker), claim())
    checker.close()
    job = store.get(job_id)
    assert job.status is JobStatus.SUCCEEDED
    assert [warning.code for warning in job.warnings] == ["content_flagged"]
    picture = Image.open(io.BytesIO(shop.objects.get(job.images[0].key)))
    assert picture.getextrema() == ((0, 0), (0, 0), (0, 0))


def test_a_deadline_that_passes_in_mid_sampling_expires_the_job(shop, store, submit, claim):
    job_id = submit(steps=150, num_images=8, deadline_seconds=0.4)
    work(shop, claim())
    job = store.get(job_id)
    assert job.status is JobStatus.EXPIRED
    assert job.images == ()
