"""A later attempt goes on where an earlier one was kept, and the pictures are the same."""

import threading
from functools import partial

import pytest

from shared.job import JobStatus
from shared.request import Hires
from shared.store import keys
from tests.harness import wait_until
from worker.attempts import Ending
from worker.tasks import work

LONG = {"steps": 100, "guidance_scale": 1.0, "reproducible": True}
PATIENCE = 30


@pytest.fixture
def interrupt(shop, claim, attempts):
    """Lets an attempt make some ticks, keeps them, and gives its job back."""

    def interrupt(ready):
        attempt = claim()
        attempts.add(attempt)
        thread = threading.Thread(target=work, args=(shop, attempt))
        thread.start()
        wait_until(lambda: bool(attempt.samples) and ready(attempt), PATIENCE, "in mid-sampling")
        shop.checkpointer.keep_all()
        attempt.end(Ending.RELEASED)
        shop.engine.cancel(attempt.job.id)
        thread.join()
        attempts.remove(attempt)
        return attempt

    return interrupt


def in_tick(number, attempt):
    return min(sample.tick for sample in attempt.samples) >= number


def bytes_of(shop, job):
    return [shop.objects.get(image.key) for image in job.images]


def value(counter):
    return counter._value.get()


def test_a_later_attempt_goes_on(shop, store, submit, claim, interrupt, redis_pair):
    undisturbed = submit(num_images=2, **LONG)
    work(shop, claim())
    job_id = submit(num_images=2, **LONG)
    first = interrupt(partial(in_tick, 20))
    kept = [sample.kept_tick for sample in first.samples]
    assert min(kept) >= 20
    assert redis_pair.scratch.ttl(keys.checkpoints(job_id)) > 0

    second = claim()
    work(shop, second)

    job = store.get(job_id)
    assert (job.status, job.attempts, job.crashes) == (JobStatus.SUCCEEDED, 2, 0)
    assert job.warnings == ()
    assert bytes_of(shop, job) == bytes_of(shop, store.get(undisturbed))
    assert value(shop.metrics.samples_resumed) == 2
    assert value(shop.metrics.steps_saved) == sum(kept)
    assert not redis_pair.scratch.exists(keys.checkpoints(job_id))


def test_the_second_pass_goes_on(shop, store, submit, claim, interrupt):
    fields = LONG | {"hires": Hires(scale=1.5, strength=1.0, steps=100), "steps": 5}
    undisturbed = submit(**fields)
    work(shop, claim())
    job_id = submit(**fields)
    interrupt(lambda attempt: len(attempt.samples) == 2 and attempt.samples[1].tick > 20)

    second = claim()
    work(shop, second)

    (sample,) = second.samples
    assert sample.earlier_ticks == 5
    assert value(shop.metrics.steps_saved) == 5 + sample.kept_tick > 25
    assert bytes_of(shop, store.get(job_id)) == bytes_of(shop, store.get(undisturbed))


def test_a_checkpoint_of_another_model_is_ignored(
    shop, store, submit, claim, interrupt, redis_pair
):
    job_id = submit(**LONG)
    interrupt(partial(in_tick, 5))
    checkpoint = store.checkpoints_of(job_id)[0]
    store.save_checkpoints({(job_id, 0): checkpoint.model_copy(update={"fits": "another"})})

    work(shop, claim())

    job = store.get(job_id)
    assert job.status is JobStatus.SUCCEEDED
    assert [warning.code for warning in job.warnings] == ["checkpoint_ignored"]
    assert value(shop.metrics.samples_resumed) == 0


def test_steps_that_were_lost_are_counted(shop, store, submit, claim, interrupt):
    job_id = submit(**LONG)
    first = interrupt(partial(in_tick, 10))
    kept = first.samples[0].kept_tick
    store.report_progress({job_id: first.progress().model_copy(update={"step": kept + 7})})

    work(shop, claim())

    assert value(shop.metrics.steps_repeated) == 7


def test_nothing_is_kept_of_a_job_that_is_over(shop, store, submit, claim, attempts, redis_pair):
    job_id = submit()
    attempt = claim()
    attempts.add(attempt)
    work(shop, attempt)
    shop.checkpointer.keep_all()
    assert not redis_pair.scratch.exists(keys.checkpoints(job_id))


def test_a_sample_is_due_before_it_is_too_old(shop, submit, claim, attempts, store):
    submit()
    attempt = claim()
    attempts.add(attempt)
    samples, _ = shop.models["tiny"].prepare("job", attempt.job.request, 0, "ordinary")
    attempt.samples = samples
    (sample,) = samples
    sample.tick = 1
    shop.checkpointer.keep_due()
    assert sample.kept_tick == 0
    sample.kept_at -= 1.6
    shop.checkpointer.keep_due()
    assert sample.kept_tick == 1
