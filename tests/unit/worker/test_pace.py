"""What a worker measures of itself, and how it forgets."""

import pytest

from shared.pace import HeldJob
from shared.request import Priority
from worker.engine.engine import TickReport
from worker.pace import HALF_LIFE_SECONDS, NEW_SHARE, Pacer

AREA, CELL_PIXELS = 1000, 1000  # a latent of so many places is a megapixel
HELD = HeldJob(
    tenant="ada",
    priority=Priority.NORMAL,
    model="tiny",
    pixels=AREA * CELL_PIXELS,
    rows=2,
    cost=1.0,
    cost_left=1.0,
    place=0,
    next_place=1,
)


def tick(seconds: float, *, rows: int = 4, area: int = AREA, crowded: bool = False) -> TickReport:
    return TickReport(
        model="tiny",
        rows=rows,
        padded_rows=rows,
        samples=rows,
        seconds=seconds,
        groups=1,
        latent_area=area,
        crowded=crowded,
    )


@pytest.fixture
def pacer():
    """Warmed up with one megapixel."""
    pacer = Pacer()
    pacer.loaded(
        "tiny",
        max_rows=4,
        cell_pixels=CELL_PIXELS,
        pixels=AREA * CELL_PIXELS,
        tick_seconds={2: 0.5, 4: 1.0},
        load_seconds=3.0,
    )
    return pacer


def told(pacer):
    return pacer.pace(4, 1, [])


def size_of(pacer, pixels=AREA * CELL_PIXELS):
    (model,) = told(pacer).models
    return next(size for size in model.sizes if size.pixels == pixels)


def test_a_worker_without_a_model_has_measured_nothing():
    pace = Pacer().pace(4, 1, [HELD])
    assert (pace.models, pace.crowded_speed) == ((), None)
    assert (pace.slots, pace.high_slots, pace.held) == (4, 1, (HELD,))


def test_the_warm_up_is_told_as_measured(pacer):
    (model,) = told(pacer).models
    assert (model.model, model.max_rows, model.load_seconds) == ("tiny", 4, 3.0)
    assert (model.prepare_seconds, model.picture_seconds) == (0.0, 0.0)
    assert size_of(pacer).tick_seconds == {2: 0.5, 4: 1.0}


def test_a_new_pace_is_known_after_a_few_dozen_ticks(pacer):
    pacer.tick(tick(2.0))
    assert size_of(pacer).tick_seconds[4] == pytest.approx(1.0 + NEW_SHARE)
    for _ in range(40):
        pacer.tick(tick(2.0))
    assert size_of(pacer).tick_seconds[4] == pytest.approx(2.0, rel=0.02)
    assert size_of(pacer).tick_seconds[2] == 0.5


def test_preparation_and_storing_are_means_of_their_own(pacer):
    pacer.prepared("tiny", 1.0)
    pacer.prepared("tiny", 2.0)
    pacer.stored("tiny", 4.0)
    (model,) = told(pacer).models
    assert model.prepare_seconds == pytest.approx(1.0 + NEW_SHARE)
    assert model.picture_seconds == 4.0


def test_other_sizes_are_measured_apart(pacer):
    pacer.tick(tick(5.0, area=4 * AREA))
    assert size_of(pacer, 4 * AREA * CELL_PIXELS).tick_seconds == {4: 5.0}
    assert size_of(pacer).tick_seconds == {2: 0.5, 4: 1.0}


def test_only_crowded_ticks_tell_the_speed(pacer):
    pacer.tick(tick(1.0))
    assert told(pacer).crowded_speed is None
    pacer.tick(tick(2.0, crowded=True))
    assert told(pacer).crowded_speed == pytest.approx(4 / 2.0)
    pacer.tick(tick(4.0, crowded=True))
    assert told(pacer).crowded_speed == pytest.approx(8 / 6.0)


def test_older_work_counts_less_and_less_in_the_mixture(pacer):
    for _ in range(10):
        pacer.tick(tick(HALF_LIFE_SECONDS / 4, area=4 * AREA))
    other = size_of(pacer, 4 * AREA * CELL_PIXELS).served_seconds
    assert other < 2 * HALF_LIFE_SECONDS
    assert size_of(pacer).served_seconds < 0.5


def test_ticks_of_a_model_that_still_warms_up_do_not_count():
    pacer = Pacer()
    pacer.tick(tick(1.0))
    assert pacer.pace(4, 1, []).models == ()
