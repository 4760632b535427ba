"""Pictures leave while the job makes its next ones; an object store that hangs holds up no more."""

import dataclasses
import threading

import pytest

from shared.errors import StorageUnavailable
from shared.ids import attempt_prefix
from shared.job import JobStatus
from shared.logging import job_id as logged_job_id
from worker.attempts import Ending
from worker.spool import Spool
from worker.tasks import work

SECONDS = 30  # more than any machine needs
STEPS = 150


class Hanging:
    """The object store, whose n-th put and all later ones hang until they are let go."""

    def __init__(self, objects, before=0, error=None):
        self._objects = objects
        self._left = before
        self._error = error
        self.hangs = threading.Event()
        self.let_go = threading.Event()
        self.jobs_logged = set()

    def __getattr__(self, name):
        return getattr(self._objects, name)

    def put(self, key, data, content_type):
        self.jobs_logged.add(logged_job_id.get())
        if self._left == 0:
            self.hangs.set()
            assert self.let_go.wait(SECONDS)
            if self._error is not None:
                raise self._error
        else:
            self._left -= 1
        self._objects.put(key, data, content_type)


class Counting:
    """The model, which says when it has decoded so many pictures."""

    def __init__(self, model, pictures):
        self._model = model
        self._left = pictures
        self.decoded = threading.Event()

    def __getattr__(self, name):
        return getattr(self._model, name)

    def decode(self, latent, decoding):
        pixels = self._model.decode(latent, decoding)
        self._left -= 1
        if self._left == 0:
            self.decoded.set()
        return pixels


@pytest.fixture
def begin(shop):
    """Begins an attempt on a thread, with parts of the workshop exchanged."""
    threads = []

    def begin(attempt, **parts):
        thread = threading.Thread(target=work, args=(dataclasses.replace(shop, **parts), attempt))
        thread.start()
        threads.append(thread)
        return thread

    yield begin
    for thread in threads:
        thread.join(SECONDS)
    assert not [thread.name for thread in threading.enumerate() if thread.name == "way out"]


def keys_of(shop, attempt):
    job = attempt.job
    return shop.objects.list_keys(attempt_prefix(job.tenant, job.id, attempt.attempt_id))


def test_the_next_pictures_are_decoded_while_one_is_stored(
    shop, store, submit, claim, model, begin
):
    job_id = submit(num_images=4)
    objects, counting = Hanging(shop.objects), Counting(model, 3)
    begun = begin(claim(), objects=objects, models={"tiny": counting})
    assert objects.hangs.wait(SECONDS)
    assert counting.decoded.wait(SECONDS)  # one leaves, one waits, one is in hand
    assert store.get(job_id).images == ()  # nothing is told before it is stored
    objects.let_go.set()
    begun.join(SECONDS)
    job = store.get(job_id)
    assert job.status is JobStatus.SUCCEEDED
    assert [len(shop.objects.get(image.key)) for image in job.images] == [
        image.bytes for image in job.images
    ]
    assert objects.jobs_logged == {job_id}


@pytest.mark.parametrize("ending", [Ending.CANCELED, Ending.RELEASED])
def test_an_attempt_that_is_told_to_end_stores_no_more(shop, store, submit, claim, begin, ending):
    job_id = submit(num_images=4)
    attempt = claim()
    objects = Hanging(shop.objects, before=1)
    begun = begin(attempt, objects=objects)
    assert objects.hangs.wait(SECONDS)
    if ending is Ending.CANCELED:
        store.cancel(job_id)
    attempt.end(ending)
    objects.let_go.set()
    begun.join(SECONDS)
    assert not begun.is_alive()
    assert len(keys_of(shop, attempt)) == 2
    job = store.get(job_id)
    assert len(job.images) == 1
    expected = JobStatus.CANCELED if ending is Ending.CANCELED else JobStatus.QUEUED
    assert job.status is expected


def test_a_lost_attempt_keeps_only_what_was_told_before(shop, store, submit, claim, begin):
    job_id = submit(num_images=4)
    attempt = claim()
    objects = Hanging(shop.objects, before=1)
    begun = begin(attempt, objects=objects)
    assert objects.hangs.wait(SECONDS)
    store.release(job_id, attempt.attempt_id)
    other = claim()
    objects.let_go.set()
    begun.join(SECONDS)
    [told] = store.get(job_id).images
    assert keys_of(shop, attempt) == [told.key]
    assert store.get(other.job.id).status is JobStatus.RUNNING


class Uneven:
    """The model, whose image 0 is finished long before image 1."""

    def __init__(self, model):
        self._model = model

    def __getattr__(self, name):
        return getattr(self._model, name)

    def prepare(self, job_id, request, *others):
        [quick, _], notes = self._model.prepare(job_id, request, *others)
        slow = request.model_copy(update={"steps": STEPS})
        [_, slow], _ = self._model.prepare(job_id, slow, *others)
        return [quick, slow], notes


@pytest.mark.parametrize("error", [StorageUnavailable("away"), ValueError("a defect")])
def test_a_picture_that_cannot_leave_ends_the_attempt_at_once(
    shop, store, submit, claim, model, begin, error, caplog
):
    job_id = submit(num_images=2)
    attempt = claim()
    objects = Hanging(shop.objects, error=error)
    objects.let_go.set()
    parts = {"models": {"tiny": Uneven(model)}, "spool": Spool(None, 0)}
    begin(attempt, objects=objects, storage_patience_seconds=0.0, **parts).join(SECONDS)
    assert store.get(job_id).status is JobStatus.QUEUED  # to be tried again
    assert attempt.samples[1].tick < STEPS
    assert ("the attempt failed" in caplog.text) is isinstance(error, ValueError)


def test_a_single_picture_leaves_on_the_jobs_own_thread(shop, store, submit, claim, begin):
    job_id = submit()
    objects = Hanging(shop.objects)
    begun = begin(claim(), objects=objects)
    assert objects.hangs.wait(SECONDS)
    assert "way out" not in {thread.name for thread in threading.enumerate()}
    objects.let_go.set()
    begun.join(SECONDS)
    assert store.get(job_id).status is JobStatus.SUCCEEDED
