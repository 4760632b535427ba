"""One attempt from claim to commit, with a tiny model in this process, on real servers."""

import dataclasses
import io

import pytest
import torch
from PIL import Image
from pydantic import SecretStr

from shared.errors import GenerationInvalid, StorageUnavailable
from shared.ids import attempt_prefix, job_prefix
from shared.job import JobStatus
from shared.objects import ObjectStore
from shared.settings import JobSettings, StorageSettings
from tests.harness import TENANT
from tests.tiny_checker import build_tiny_checker
from worker.attempts import Ending
from worker.engine.batcher import Batcher
from worker.engine.engine import Engine
from worker.models.device import DeviceSettings, resolve_device, translated_device_errors
from worker.models.image import Decoding
from worker.models.safety import load_safety_checker
from worker.spool import Spool
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

    def add_image(self, job_id, attempt_id, image, warnings):
        if self._left == 0:
            self._store.release(job_id, attempt_id)
        self._left -= 1
        return self._store.add_image(job_id, attempt_id, image, warnings)


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


class AwayFor:
    """The object store, away for the first so many uploads."""

    def __init__(self, objects, uploads, seen):
        self._objects = objects
        self._left = uploads
        self._seen = seen

    def __getattr__(self, name):
        return getattr(self._objects, name)

    def put(self, key, data, content_type):
        self._seen()
        if self._left:
            self._left -= 1
            raise StorageUnavailable("away")
        self._objects.put(key, data, content_type)


@pytest.mark.parametrize("room", [2**20, 0])
def test_pictures_wait_on_disk_while_s3_is_away(shop, store, submit, claim, room):
    spool = Spool(None, room)
    used = []
    away = AwayFor(shop.objects, 3, lambda: used.append(spool.used_bytes))
    job_id = submit(num_images=3)
    attempt = claim()
    work(dataclasses.replace(shop, objects=away, spool=spool), attempt)
    job = store.get(job_id)
    assert (job.status, job.attempts) == (JobStatus.SUCCEEDED, 1)
    assert [len(shop.objects.get(image.key)) for image in job.images] == [
        image.bytes for image in job.images
    ]
    assert [image.index for image in job.images] == [0, 1, 2]
    assert bool(max(used)) is bool(room)
    assert spool.used_bytes == 0
    assert len(attempt.samples) == 3  # each was generated once


class HalfPrecision:
    """The tiny model, as one whose image 0 is NaN unless it is denoised in full precision."""

    def __init__(self, model):
        self._model = model

    def __getattr__(self, name):
        return getattr(self._model, name)

    def prepare(self, *args):
        samples, notes = self._model.prepare(*args)
        samples[0].state.planes.fill_(float("nan"))
        return samples, notes

    def prepare_again(self, failed, request, pictures):
        samples, _ = self._model.prepare(
            failed.job_id, request, 0, failed.key.kind, pictures=pictures
        )
        return samples[failed.index]


@pytest.mark.parametrize("half", [True, False])
def test_nan_is_never_a_picture(shop, store, submit, claim, model, half):
    job_id = submit(num_images=2)
    spoilt = HalfPrecision(model)
    if not half:
        spoilt.prepare_again = model.prepare_again  # a model in full precision has no other try
    work(dataclasses.replace(shop, models={"tiny": spoilt}), claim())
    job = store.get(job_id)
    if half:
        assert job.status is JobStatus.SUCCEEDED
        assert [warning.code for warning in job.warnings] == ["denoised_again"]
        assert "image 0" in job.warnings[0].detail
    else:
        assert (job.status, job.error.code) == (JobStatus.FAILED, "generation_invalid")


class Small:
    """The tiny model's stepper, on a device that two rows fill."""

    def __init__(self, stepper):
        self._stepper = stepper

    def __getattr__(self, name):
        return getattr(self._stepper, name)

    def launch(self, samples):
        with translated_device_errors():
            if sum(sample.rows for sample in samples) > 2:
                raise torch.OutOfMemoryError("full")
        return self._stepper.launch(samples)


def test_a_batch_that_does_not_fit_is_made_smaller_and_the_job_says_so(
    shop, store, submit, claim, model
):
    small = Small(model.stepper)
    engine = Engine(Batcher(lambda model: 8), {"tiny": small}, shop.metrics.observe_tick)
    engine.start()
    job_id = submit(num_images=2, guidance_scale=4.0)
    work(dataclasses.replace(shop, engine=engine), claim())
    engine.stop()
    job = store.get(job_id)
    assert job.status is JobStatus.SUCCEEDED
    assert [warning.code for warning in job.warnings] == ["batch_narrowed"]


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
    job_id = submit(num_images=2)
    strict = dataclasses.replace(shop, safety=checker)
    # The warning is the job's as soon as the picture is, though this attempt ends before its end.
    work(dataclasses.replace(strict, store=ReleasingStore(store, after=1)), claim())
    work(strict, claim())
    checker.close()
    job = store.get(job_id)
    assert job.status is JobStatus.SUCCEEDED
    assert [warning.code for warning in job.warnings] == ["content_flagged"] * 2
    picture = Image.open(io.BytesIO(shop.objects.get(job.images[0].key)))
    assert picture.getextrema() == ((0, 0), (0, 0), (0, 0))


def test_a_deadline_that_passes_in_mid_sampling_expires_the_job(shop, store, submit, claim):
    job_id = submit(steps=150, num_images=8, deadline_seconds=0.4)
    work(shop, claim())
    job = store.get(job_id)
    assert job.status is JobStatus.EXPIRED
    assert job.images == ()
