"""The ways to serve a trace, on traces so small that the ends can be told by hand."""

import pytest

from bench.lawful_device import serve_really, serve_virtually
from bench.policies import (
    Asked,
    poisson_trace,
    serve_batches,
    serve_steps,
    strong_key,
    usual_key,
)


def law(rows):
    return max(2.0, rows / 2)


def asked(at, steps=10, sampler="euler", guidance=7.5):
    return Asked(at, steps, sampler, guidance)


STAGGERED = [asked(0.0), asked(1.0, steps=5), asked(1.5, sampler="unipc")]


@pytest.mark.parametrize(
    ("key", "most", "ends"),
    [
        (strong_key, 1, [20.0, 30.0, 50.0]),
        (strong_key, 8, [20.0, 30.0, 50.0]),
        (lambda _: None, 8, [20.0, 30.0, 30.0]),
    ],
)
def test_a_batch_begins_when_the_one_before_has_ended(key, most, ends):
    assert serve_batches(STAGGERED, law, key, most) == ends


def test_requests_of_one_key_share_a_batch_and_others_wait_for_its_end():
    trace = [asked(0.0), asked(0.0, sampler="unipc"), asked(0.0)]

    assert serve_batches(trace, law, usual_key, 8) == [20.0, 40.0, 20.0]
    assert serve_batches(trace, law, strong_key, 8) == [30.0, 30.0, 30.0]
    assert serve_batches(trace, law, strong_key, 2) == [20.0, 20.0, 40.0]


def test_a_window_lets_later_requests_join():
    trace = [asked(0.0), asked(1.0)]

    assert serve_batches(trace, law, strong_key, 8, window=3.0) == [23.0, 23.0]


def test_steps_are_shared_from_the_first_one_on_after_arrival():
    assert serve_steps(STAGGERED, law, max_rows=4) == [20.0, 12.0, 32.0]


@pytest.mark.parametrize("max_rows", [2, 4, 8])
def test_the_engine_does_as_its_simulation_but_for_the_tick_that_is_already_launched(max_rows):
    trace = poisson_trace(seed=1, count=100, rate=0.02)

    ends = serve_virtually(trace, law, max_rows)

    simulated = serve_steps(trace, law, max_rows)
    assert max(ends) == pytest.approx(max(simulated), rel=0.01)
    assert sum(ends) == pytest.approx(sum(simulated), rel=0.01)


def test_in_real_time_the_device_takes_what_the_law_says():
    trace = [asked(0.0), asked(0.0)]

    assert min(serve_really(trace, lambda rows: 0.002, max_rows=4)) >= 0.020
