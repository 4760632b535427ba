"""Where the knee lies, by tables of made-up devices."""

import pytest

from worker.models.warm_up import ENOUGH_SECONDS, ROUNDS, find_knee, measure_ticks


@pytest.mark.parametrize(
    ("tick_seconds", "knee"),
    [
        ({1: 1.0, 2: 1.0, 4: 1.0, 8: 2.0}, 4),  # constant, then linear
        ({1: 1.0, 2: 1.0, 4: 1.0, 8: 1.0, 12: 1.5}, 8),
        ({1: 1.0, 2: 2.0, 4: 4.0}, 4),  # one row is best, but two guided samples shall share
        ({1: 1.0, 2: 1.5, 4: 2.2, 8: 4.0, 12: 5.9}, 8),  # within five percent of the best
    ],
)
def test_the_knee_is_the_smallest_batch_near_the_best_throughput(tick_seconds, knee):
    assert find_knee(tick_seconds) == knee


def test_measuring_ends_where_more_rows_do_not_pay():
    timed = []

    def time_tick(rows):
        timed.append(rows)
        return 0.001 * max(4, rows) * 1.1 ** (rows > 4)

    found = measure_ticks(time_tick)

    assert list(found) == [1, 2, 4, 8, 12]
    assert timed.count(4) == 1 + ROUNDS


def test_measuring_ends_where_more_rows_hardly_pay():
    # 24 rows would give two percent more than 8, and readiness would have waited for them.
    found = measure_ticks(lambda rows: 0.001 * max(8, rows) * 0.999 ** max(0, rows - 8))

    assert list(found) == [1, 2, 4, 8, 12, 16]


def test_the_best_round_counts():
    rounds = iter([0.009, 0.003, 0.002, 0.004])

    assert measure_ticks(lambda rows: next(rounds) if rows == 1 else 0.009 * rows)[1] == 0.002


def test_slow_ticks_are_timed_once_and_one_bucket_in_vain_is_enough():
    timed = []

    def time_tick(rows):
        timed.append(rows)
        return ENOUGH_SECONDS * max(4, rows) * 1.1 ** (rows > 4)

    found = measure_ticks(time_tick)

    assert list(found) == [1, 2, 4, 8]
    assert timed.count(1) == timed.count(4) == 1 + 1
