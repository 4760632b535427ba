"""The engine with a toy model: joining, leaving, cancelling, failing, stopping."""

import dataclasses
import threading

import pytest

from shared.errors import GenerationInvalid, InternalError, ResourceExhausted
from tests.toy_stepper import KEY, ToyStepper, make_sample
from worker.engine.batcher import Batcher
from worker.engine.engine import Engine, TickReport
from worker.engine.sample import EngineStopped, SampleCanceled
from worker.engine.stepper import DeviceLost

PATIENCE = 10  # seconds; nothing here takes a hundredth of it


@pytest.fixture
def stepper():
    return ToyStepper()


@pytest.fixture
def reports():
    return []


@pytest.fixture
def engine(stepper, reports):
    engine = Engine(Batcher(lambda model: stepper.max_rows), {"toy": stepper}, reports.append)
    yield engine
    if engine.alive:
        engine.stop()


class Gate:
    """Stops the engine inside a launch until the test has done what it wants."""

    def __init__(self, stepper, at_batch):
        self._at = at_batch
        self._stepper = stepper
        self.reached = threading.Event()
        self.open = threading.Event()
        stepper.on_launch = self._pass

    def _pass(self, samples):
        if len(self._stepper.batches) == self._at:
            self.reached.set()
            assert self.open.wait(PATIENCE)


def jobs_of(stepper):
    return [sorted({sample.job_id for sample in batch}) for batch in stepper.batches]


def test_a_sample_takes_all_its_ticks(engine, stepper, reports):
    sample = make_sample(ticks=3)
    engine.start()
    engine.submit([sample])

    assert sample.finished.result(PATIENCE) == 3
    engine.stop()
    assert sample.tick == 3
    assert reports == [
        TickReport(
            "toy", 2, 2, samples=1, seconds=0.001, groups=left, latent_area=64, crowded=False
        )
        for left in (1, 1, 0)
    ]


def test_samples_join_and_leave_between_ticks(engine, stepper):
    gate = Gate(stepper, at_batch=1)
    long, short = make_sample("long", ticks=5), make_sample("short", ticks=2, sequence=1)
    engine.start()
    engine.submit([long])
    assert gate.reached.wait(PATIENCE)
    engine.submit([short])
    gate.open.set()

    assert short.finished.result(PATIENCE) == 2
    assert long.finished.result(PATIENCE) == 5
    assert jobs_of(stepper) == [["long"], ["long"], ["long", "short"], ["long", "short"], ["long"]]


def test_a_cancelled_job_begins_no_further_tick(engine, stepper):
    gate = Gate(stepper, at_batch=2)
    doomed = [make_sample("doomed", ticks=9, index=index) for index in range(2)]
    other = make_sample("other", ticks=6, sequence=1)
    engine.start()
    engine.submit([*doomed, other])
    assert gate.reached.wait(PATIENCE)
    engine.cancel("doomed")
    engine.cancel("unknown")
    gate.open.set()

    assert other.finished.result(PATIENCE) == 6
    for sample in doomed:
        with pytest.raises(SampleCanceled):
            sample.finished.result(PATIENCE)
    assert jobs_of(stepper) == [["doomed", "other"]] * 3 + [["other"]] * 3


def test_with_ticks_in_flight_one_more_is_launched_and_no_further(engine, stepper):
    stepper.lands = False
    launched = threading.Semaphore(0)
    stepper.on_launch = lambda samples: launched.release()
    sample = make_sample(ticks=9)
    engine.start()
    engine.submit([sample])
    assert launched.acquire(timeout=PATIENCE)
    assert launched.acquire(timeout=PATIENCE)
    # The engine waits for the first tick now: a third launch would be a second ahead.
    engine.cancel("job")
    for tick in list(stepper.in_flight):
        tick.landed.set()

    with pytest.raises(SampleCanceled):
        sample.finished.result(PATIENCE)
    engine.stop()
    assert len(stepper.batches) == 2


def test_a_job_of_high_priority_goes_before_the_next_tick(engine, stepper):
    stepper.max_rows = 2
    gate = Gate(stepper, at_batch=1)
    normal = make_sample("normal", ticks=4)
    high = make_sample("high", ticks=2, priority=0, sequence=1)
    engine.start()
    engine.submit([normal])
    assert gate.reached.wait(PATIENCE)
    engine.submit([high])
    gate.open.set()
    normal.finished.result(PATIENCE)

    assert jobs_of(stepper) == [["normal"]] * 2 + [["high"]] * 2 + [["normal"]] * 2


def test_the_sample_at_fault_fails_alone(engine, stepper):
    samples = [make_sample(name, rows=1, sequence=age) for age, name in enumerate("abcde")]

    def fail_with_c(batch):
        if any(sample.job_id == "c" for sample in batch):
            raise ZeroDivisionError

    stepper.on_launch = fail_with_c
    engine.start()
    engine.submit(samples)

    for sample in samples:
        if sample.job_id == "c":
            with pytest.raises(InternalError):
                sample.finished.result(PATIENCE)
        else:
            assert sample.finished.result(PATIENCE) == 4


def test_a_batch_that_does_not_fit_is_halved_for_good(engine, stepper):
    attempts = []

    def fit_two_rows(batch):
        attempts.append(len(batch))
        if len(batch) > 2:
            raise ResourceExhausted("too wide")

    stepper.on_launch = fit_two_rows
    samples = [make_sample(name, rows=1, sequence=age) for age, name in enumerate("abcd")]
    engine.start()
    engine.submit(samples)

    for sample in samples:
        assert sample.finished.result(PATIENCE) == 4
    assert attempts.count(4) == 1
    assert all(sample.narrowed for sample in samples)
    later = [make_sample(name, rows=1) for name in "efgh"]
    engine.submit(later)
    for sample in later:
        assert sample.finished.result(PATIENCE) == 4
    assert attempts.count(4) == 1, "the width is remembered"
    assert not any(sample.narrowed for sample in later)


def test_what_does_not_fit_alone_fails(engine, stepper):
    def refuse(batch):
        raise ResourceExhausted("too large")

    stepper.on_launch = refuse
    sample = make_sample()
    engine.start()
    engine.submit([sample])

    with pytest.raises(ResourceExhausted):
        sample.finished.result(PATIENCE)


def test_a_state_that_is_not_finite_ends_its_sample_only(engine, stepper):
    stepper.invalid = {"broken"}
    broken, whole = make_sample("broken"), make_sample("whole", sequence=1)
    engine.start()
    engine.submit([broken, whole])

    with pytest.raises(GenerationInvalid):
        broken.finished.result(PATIENCE)
    assert whole.finished.result(PATIENCE) == 4


def test_a_last_tick_that_is_not_finite_hands_out_nothing(engine, stepper):
    stepper.invalid = {"job"}
    sample = make_sample(ticks=1)
    engine.start()
    engine.submit([sample])

    with pytest.raises(GenerationInvalid):
        sample.finished.result(PATIENCE)


def test_stopping_ends_what_is_there_and_what_comes(engine, stepper):
    gate = Gate(stepper, at_batch=1)
    endless = 10**9
    running, arriving, late = (make_sample(name, ticks=endless) for name in "abc")
    engine.start()
    engine.submit([running])
    assert gate.reached.wait(PATIENCE)
    engine.submit([arriving])
    stopping = threading.Thread(target=engine.stop)
    stopping.start()
    gate.open.set()
    stopping.join(PATIENCE)
    engine.submit([late])

    for sample in (running, arriving, late):
        with pytest.raises(EngineStopped):
            sample.finished.result(PATIENCE)
    assert not engine.alive


def test_a_lost_device_ends_the_engine(engine, stepper):
    def lose(batch):
        raise DeviceLost("unspecified launch failure")

    stepper.on_launch = lose
    sample = make_sample()
    engine.start()
    engine.submit([sample])

    with pytest.raises(EngineStopped):
        sample.finished.result(PATIENCE)
    engine.stop()
    assert not engine.alive


def test_groups_of_two_shapes_both_finish(engine, stepper):
    large_key = dataclasses.replace(KEY, latent_shape=(4, 64, 64))
    samples = [make_sample("small", ticks=6), make_sample("large", key=large_key, ticks=6)]
    engine.start()
    engine.submit(samples)

    for sample in samples:
        assert sample.finished.result(PATIENCE) == 6
    assert all(len({sample.key for sample in batch}) == 1 for batch in stepper.batches)


def test_a_call_comes_between_ticks_after_what_was_asked_for_before(engine, stepper):
    gate = Gate(stepper, at_batch=1)
    sample = make_sample(ticks=50)
    engine.start()
    engine.submit([sample])
    assert gate.reached.wait(PATIENCE)
    engine.cancel(sample.job_id)
    seen = []
    caller = threading.Thread(
        target=engine.call, args=(lambda: seen.append(sample.finished.done()),)
    )
    caller.start()
    gate.open.set()
    caller.join(PATIENCE)

    assert seen == [True], "the cancelled sample had gone"


def test_a_call_to_a_stopped_engine_is_told(engine):
    engine.start()
    engine.stop()

    with pytest.raises(EngineStopped):
        engine.call(lambda: None)


def test_a_call_that_waits_when_the_engine_stops_is_told(engine, stepper):
    gate = Gate(stepper, at_batch=0)
    engine.start()
    engine.submit([make_sample(ticks=50)])
    assert gate.reached.wait(PATIENCE)
    told = []

    def call():
        try:
            engine.call(lambda: None)
        except EngineStopped as error:
            told.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    while not engine._calls:
        threading.Event().wait(0.001)
    stopper = threading.Thread(target=engine.stop)
    stopper.start()
    while not engine._stopping:
        threading.Event().wait(0.001)
    gate.open.set()
    caller.join(PATIENCE)
    stopper.join(PATIENCE)

    assert len(told) == 1
