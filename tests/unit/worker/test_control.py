"""Cancellations come at once, also after the connection was cut."""

import pytest

from tests.harness import wait_until
from tests.unit.worker.conftest import WORKER_ID
from worker.attempts import Ending
from worker.control import Control


@pytest.fixture
def control(redis_pair, attempts):
    control = Control(redis_pair.durable, WORKER_ID, attempts)
    control.start()
    wait_until(lambda: subscribers(redis_pair) == 1, 10)
    yield control
    control.stop()


def subscribers(redis_pair):
    ((_, count),) = redis_pair.durable.pubsub_numsub(f"tessera:control:{WORKER_ID}")
    return count


def test_a_cancelled_job_ends_its_attempt(control, claim, store, cancelled_samples):
    attempt, other = claim(), claim()
    store.cancel(attempt.job.id)
    wait_until(lambda: attempt.ending is Ending.CANCELED, 10)
    assert other.ending is None
    assert cancelled_samples == [attempt.job.id]


def test_a_cut_connection_is_made_again(control, claim, store, redis_pair):
    redis_pair.durable.client_kill_filter(_type="pubsub")
    wait_until(lambda: subscribers(redis_pair) == 1, 10)
    attempt = claim()
    store.cancel(attempt.job.id)
    wait_until(lambda: attempt.ending is Ending.CANCELED, 10)
