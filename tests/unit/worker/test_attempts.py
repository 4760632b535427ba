"""Attempts hold slots, tell their progress, and end for the first reason they are given."""

import threading

import pytest

from shared.job import Job, JobStatus, Progress
from tests.tiny_request import tiny_request
from tests.toy_stepper import make_sample
from worker.attempts import Attempt, AttemptEnded, Attempts, Ending


def make_attempt(name="att_1", job_id="job_1", num_images=1):
    job = Job(
        id=job_id,
        tenant="tests",
        status=JobStatus.RUNNING,
        request=tiny_request(num_images=num_images),
        created_at=1.0,
        started_at=2.0,
    )
    return Attempt(job, name, suspect=False, sequence=0)


@pytest.fixture
def cancelled():
    return []


@pytest.fixture
def attempts(cancelled):
    return Attempts(2, cancelled.append)


def test_slots_are_taken_and_given_back(attempts):
    attempt = make_attempt()
    attempts.add(attempt)
    assert attempts.free == 1
    assert attempts.all() == [attempt]
    attempts.remove(attempt)
    assert attempts.free == 2
    assert attempts.wait_until_empty(0)


def test_the_first_reason_counts(attempts, cancelled):
    attempt = make_attempt()
    attempts.add(attempt)
    attempts.end("att_1", Ending.CANCELED)
    attempts.end("att_1", Ending.LOST)
    attempts.end("att_unknown", Ending.LOST)
    assert attempt.ending is Ending.CANCELED
    assert cancelled == ["job_1"]


def test_a_pause_ends_with_the_attempt():
    attempt = make_attempt()
    attempt.pause(0)
    threading.Timer(0.01, attempt.end, [Ending.LOST]).start()
    with pytest.raises(AttemptEnded):
        attempt.pause(10)


def test_waiting_returns_when_a_slot_is_given_back(attempts):
    attempt = make_attempt()
    attempts.add(attempt)
    assert not attempts.wait_until_empty(0)
    threading.Timer(0.01, attempts.remove, [attempt]).start()
    assert attempts.wait_until_empty(10)


def test_progress_is_the_mean_over_the_images():
    attempt = make_attempt(num_images=3)
    assert attempt.progress() == Progress()
    fast, slow = make_sample(ticks=4, index=1), make_sample(ticks=4, index=2)
    fast.tick, slow.tick = 3, 0
    attempt.samples = (fast, slow)
    attempt.images_done = 1  # by an earlier attempt
    assert attempt.progress() == Progress(step=2, steps=4, images_done=1)


def test_progress_counts_both_passes():
    attempt = make_attempt(num_images=2)
    first, other, second = (make_sample(ticks=4, index=index) for index in (0, 1, 0))
    first.later_ticks = other.later_ticks = 2
    second.earlier_ticks = 4
    first.tick, other.tick, second.tick = 4, 2, 2
    attempt.samples = (first, other, second)
    assert attempt.progress() == Progress(step=4, steps=6)
