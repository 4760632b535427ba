"""The pulse renews what lives, ends what the store has ended, and sends what has moved."""

import time

import pytest
from prometheus_client import CollectorRegistry

from shared.job import Progress
from shared.store import keys
from shared.store.events import parse_message
from shared.store.workers import WorkerRecord, WorkerState
from tests.toy_stepper import make_sample
from tests.unit.worker.conftest import WORKER_ID
from worker.attempts import Ending
from worker.metrics import WorkerMetrics
from worker.pulse import PROGRESS_SECONDS, WORKERS_A_TURN, Pulse

RECORD = WorkerRecord(
    id=WORKER_ID,
    host="here",
    models=("tiny",),
    max_rows=8,
    state=WorkerState.READY,
    started_at=time.time(),
)


@pytest.fixture
def metrics():
    return WorkerMetrics(CollectorRegistry())


@pytest.fixture
def pulse(store, attempts, metrics):
    return Pulse(store, attempts, metrics, lease_seconds=10, describe=lambda: RECORD)


def test_a_beat_renews_leases_and_announces_the_worker(pulse, claim, store, redis_pair):
    attempt = claim()
    before = redis_pair.durable.zscore("tessera:leases", attempt.job.id)
    pulse.beat()
    assert redis_pair.durable.zscore("tessera:leases", attempt.job.id) > before
    assert store.live_workers() == [RECORD]
    assert attempt.ending is None


def test_a_beat_ends_what_the_store_has_ended(pulse, claim, store, cancelled_samples):
    cancelled, lost = claim(), claim()
    store.cancel(cancelled.job.id)
    store.release(lost.job.id, lost.attempt_id)
    pulse.beat()
    assert cancelled.ending is Ending.CANCELED
    assert lost.ending is Ending.LOST
    assert cancelled_samples == [cancelled.job.id, lost.job.id]


def test_progress_is_sent_when_it_has_moved(pulse, claim, store, redis_pair):
    attempt = claim()
    pulse.send_progress()
    assert not redis_pair.scratch.exists(keys.progress(attempt.job.id))
    sample = make_sample(ticks=4)
    attempt.samples = (sample,)
    sample.tick = 2
    pulse.send_progress()
    assert store.get(attempt.job.id).progress == Progress(step=2, steps=4)
    redis_pair.scratch.delete(keys.progress(attempt.job.id))
    pulse.send_progress()
    assert not redis_pair.scratch.exists(keys.progress(attempt.job.id))


def test_many_steps_between_two_sends_are_one_message(pulse, claim, redis_pair):
    assert PROGRESS_SECONDS >= 0.5  # as the documentation says of `progress` events
    attempt = claim()
    sample = make_sample(ticks=40)
    attempt.samples = (sample,)
    with redis_pair.durable.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe(keys.events(attempt.job.id))
        assert listener.get_message(timeout=5) is None  # the subscription's own answer
        sample.tick = 29
        pulse.send_progress()
        told = parse_message(listener.get_message(timeout=5)["data"])
        assert (told.type, told.data["step"]) == ("progress", 29)
        assert listener.get_message(timeout=0.05) is None


def test_the_busy_ratio_is_of_the_time_between_beats(pulse, metrics):
    pulse.beat()
    metrics.busy_seconds += 1000
    pulse.beat()
    assert metrics.busy_ratio._value.get() == 1.0


def test_the_more_workers_there_are_the_less_often_one_tells(pulse, store, redis_pair):
    redis_pair.durable.sadd(keys.WORKERS, *(f"w{i}" for i in range(2 * WORKERS_A_TURN)))

    def told():
        pulse.announce()
        return bool(redis_pair.durable.delete(keys.worker(WORKER_ID)))

    assert [told() for _ in range(7)] == [True, False, False, True, False, False, True]


def test_the_threads_stop(pulse, store):
    pulse.start()
    pulse.stop()
    assert store.live_workers() == [RECORD]
