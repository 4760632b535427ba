"""Every tick is in the flight record from before its launch until it has completed."""

import pytest

from tests.toy_stepper import ToyStepper, make_sample
from worker.engine.stepper import DeviceLost
from worker.flight_record import FlightRecord
from worker.recorded_stepper import RecordedStepper


@pytest.fixture
def record():
    return FlightRecord(slots=2)


def test_a_tick_is_recorded_before_it_is_launched(record):
    seen = []
    toy = ToyStepper(on_launch=lambda samples: seen.append(record.blamed()))
    stepper = RecordedStepper(toy, record)
    with record.aboard("a"), record.aboard("b"):
        tick = stepper.launch([make_sample("a"), make_sample("a", index=1), make_sample("b")])
        assert seen == [{"a", "b"}]
        tick.wait()
        assert record.blamed() == frozenset()


def test_a_refused_tick_leaves_no_blame(record):
    def refuse(samples):
        raise ValueError("a sample at fault")

    stepper = RecordedStepper(ToyStepper(on_launch=refuse), record)
    with record.aboard("a"):
        with pytest.raises(ValueError):
            stepper.launch([make_sample("a")])
        assert record.blamed() == frozenset()


def test_a_lost_device_is_blamed_on_the_tick(record):
    def lose(samples):
        raise DeviceLost

    stepper = RecordedStepper(ToyStepper(on_launch=lose), record)
    with record.aboard("a"), pytest.raises(DeviceLost):
        stepper.launch([make_sample("a")])
    assert record.blamed() == {"a"}


def test_the_rest_is_passed_on(record):
    toy = ToyStepper(max_rows=6)
    stepper = RecordedStepper(toy, record)
    sample = make_sample("a")
    stepper.admit(sample)
    stepper.launch([sample]).wait()
    assert stepper.max_rows == 6
    assert stepper.result(sample) == toy.result(sample) == 1
