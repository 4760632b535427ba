"""Jobs with pictures in them, and with two passes, from claim to commit."""

import io
import threading

import numpy as np
from PIL import Image

from shared.job import JobStatus
from shared.request import Hires, InputRef
from tests.harness import wait_until
from worker.attempts import Ending
from worker.tasks import work


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


def test_what_is_not_repainted_is_stored_bit_for_bit(shop, store, submit, claim, stored_input):
    gradient = stored_input("in_picture")
    job_id = submit(image=gradient, mask=stored_input("in_mask"))
    work(shop, claim())
    stored = Image.open(io.BytesIO(shop.objects.get(store.get(job_id).images[0].key)))
    made = np.asarray(stored)
    kept = np.asarray(Image.linear_gradient("L").resize((64, 64)))
    assert np.array_equal(made[kept <= 127], np.repeat(kept[kept <= 127][:, None], 3, axis=1))
    assert (made[kept > 127] != kept[kept > 127][:, None]).any()


def test_two_passes_are_one_job(shop, store, submit, claim):
    job_id = submit(num_images=2, hires=Hires(scale=1.5, strength=0.5, steps=8))
    attempt = claim()
    work(shop, attempt)
    job = store.get(job_id)
    assert job.status is JobStatus.SUCCEEDED
    assert [(image.index, image.width, image.height) for image in job.images] == [
        (0, 96, 96),
        (1, 96, 96),
    ]
    assert sorted(sample.ticks for sample in attempt.samples) == [4, 4, 8, 8]
    progress = attempt.progress()
    assert (progress.step, progress.steps) == (12, 12)


def test_a_job_is_cancelled_in_its_second_pass(shop, store, submit, claim):
    job_id = submit(hires=Hires(scale=1.0, strength=1.0, steps=150))
    attempt = claim()
    worker = threading.Thread(target=work, args=(shop, attempt))
    worker.start()
    wait_until(lambda: len(attempt.samples) == 2, 60, "the second pass has begun")
    store.cancel(job_id)
    attempt.end(Ending.CANCELED)
    shop.engine.cancel(job_id)
    worker.join(60)
    assert not worker.is_alive()
    assert attempt.samples[1].tick < 150
    assert store.get(job_id).status is JobStatus.CANCELED
