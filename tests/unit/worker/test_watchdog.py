"""The watchdog counts the time in which samples wait and no tick ends."""

import pytest

from tests.toy_stepper import make_sample
from worker.engine.engine import TickReport
from worker.tick_times import TickTimes
from worker.watchdog import LOOK_SECONDS, Watchdog


def report(seconds, latent_area=64):
    return TickReport("toy", 2, 2, 1, seconds, 1, latent_area, crowded=False)


@pytest.fixture
def ticks():
    return TickTimes()


@pytest.fixture
def ends():
    return []


class World:
    """A watchdog whose looks are a second apart."""

    def __init__(self, attempts, ticks, ends):
        self.loading = False
        self._watchdog = Watchdog(
            attempts, ticks, lambda: self.loading, 30.0, lambda: ends.append(1)
        )

    def look(self, times, seconds=LOOK_SECONDS):
        for _ in range(times):
            self._watchdog._looked -= seconds
            self._watchdog.look()


@pytest.fixture
def world(attempts, ticks, ends):
    return World(attempts, ticks, ends)


@pytest.fixture
def sample(claim):
    """One that waits for its next tick."""
    attempt = claim()
    sample = make_sample()
    attempt.samples = (sample,)
    return sample


def test_a_hang_ends_the_process(world, sample, ends):
    world.look(29)
    assert not ends
    world.look(2)
    assert ends


def test_a_tick_begins_the_time_anew(world, sample, ticks, ends):
    for _ in range(3):
        world.look(29)
        ticks.add(report(0.1))
        world.look(1)
    assert not ends


def test_nobody_waits(world, sample, ends):
    sample.deliver(None)
    world.look(100)
    assert not ends


def test_a_model_loads(world, sample, ends):
    world.loading = True
    world.look(100)
    assert not ends


def test_time_in_which_the_process_was_stopped_does_not_count(world, sample, ends):
    world.look(5, seconds=1000)
    assert not ends


def test_slow_ticks_are_given_ten_times_as_long(world, sample, ticks, ends):
    for _ in range(200):
        ticks.add(report(2.5, latent_area=32))
    world.look(48)  # the sample's latent is twice as large: ten ticks are 50 s
    assert not ends
    world.look(5)
    assert ends


def test_ticks_are_forgiven_for_their_size(ticks):
    assert ticks.slow(64) == ticks.quick(64) == 0.0
    for seconds in (0.1, 0.3):
        ticks.add(report(seconds))
    assert ticks.quick(32) == pytest.approx(0.05)
    assert ticks.slow(128) == pytest.approx(0.6)
    assert ticks.count == 2
