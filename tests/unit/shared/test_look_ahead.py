"""A worker's jobs played on: a tick of B rows takes B/2 seconds."""

import pytest

from shared.look_ahead import Group, Stepping, seconds_until_done
from shared.pace import SizePace

SIZE = SizePace(pixels=1, tick_seconds={1: 0.5, 2: 1.0, 4: 2.0}, served_seconds=1.0)


def group(*jobs: Stepping) -> Group:
    return Group(SIZE, 4, list(jobs))


def test_whoever_has_no_place_in_the_batch_waits_for_one():
    last = Stepping(rank=1, place=3, rows=2, row_steps=20)
    before = [Stepping(rank=1, place=place, rows=2, row_steps=10) for place in (1, 2)]
    # Two fill the batch for ten seconds, then it steps alone, two rows a second.
    assert seconds_until_done(last, [group(last, *before)]) == pytest.approx(10 + 10)


def test_a_batch_takes_as_many_rows_as_fit():
    wide = Stepping(rank=1, place=2, rows=4, row_steps=20)
    first = Stepping(rank=1, place=1, rows=2, row_steps=10)
    # Half of it has places for ten seconds, then all of it.
    assert seconds_until_done(wide, [group(wide, first)]) == pytest.approx(10 + 10 / 2)


def test_lower_ranks_ride_along_in_a_leading_group_only():
    def urgent() -> Stepping:
        return Stepping(rank=0, place=9, rows=2, row_steps=10)

    low = Stepping(rank=2, place=0, rows=2, row_steps=10)
    assert seconds_until_done(low, [group(low, urgent())]) == pytest.approx(10)
    low = Stepping(rank=2, place=0, rows=2, row_steps=10)
    assert seconds_until_done(low, [group(low), group(urgent())]) == pytest.approx(5 + 5)


def test_groups_of_one_rank_share_the_device_until_one_is_empty():
    job = Stepping(rank=1, place=0, rows=2, row_steps=10)
    other = Stepping(rank=1, place=0, rows=2, row_steps=4)
    assert seconds_until_done(job, [group(job), group(other)]) == pytest.approx(4 + 3)
