"""The batcher as tables: who is there, who goes."""

import dataclasses
import itertools

import pytest

from tests.toy_stepper import KEY, make_sample
from worker.engine.batcher import AGED_TICKS, AGED_TURN, Batcher
from worker.engine.rows import REPRODUCIBLE_ROWS
from worker.engine.sample import BatchKey, Kind

LARGE = BatchKey(model="toy", latent_shape=(4, 64, 64), kind=Kind.ORDINARY)
REPRODUCIBLE = dataclasses.replace(KEY, kind=Kind.REPRODUCIBLE)
SUSPECT = dataclasses.replace(KEY, kind=Kind.SUSPECT)


def batcher_of(*samples, max_rows=4):
    batcher = Batcher(lambda model: max_rows)
    for sample in samples:
        batcher.add(sample)
    return batcher


def names(batch):
    return [sample.job_id for sample in batch]


def test_nothing_there():
    batcher = batcher_of()

    assert batcher.next() == []
    assert len(batcher) == 0


@pytest.mark.parametrize(
    ("max_rows", "rows", "expected"),
    [
        (4, (2, 2, 2), ["a", "b"]),
        (4, (2, 1, 2, 1), ["a", "b", "d"]),  # what still fits goes along
        (1, (2, 2), ["a"]),  # the first goes even where it alone is too wide
        (8, (1, 1, 1), ["a", "b", "c"]),
    ],
)
def test_rows_are_capped(max_rows, rows, expected):
    samples = [
        make_sample(name, rows=count, sequence=age)
        for age, (name, count) in enumerate(zip("abcdef", rows, strict=False))
    ]

    assert names(batcher_of(*samples, max_rows=max_rows).next()) == expected


def test_priority_goes_before_age_and_age_before_the_place_in_the_job():
    young = make_sample("young", sequence=9)
    second = make_sample("old", sequence=1, index=1)
    first = make_sample("old", sequence=1, index=0)
    urgent = make_sample("urgent", sequence=10, priority=0)

    assert batcher_of(young, second, first, urgent, max_rows=8).next() == [
        urgent,
        first,
        second,
        young,
    ]


def test_a_group_with_higher_priority_goes_first_however_much_time_it_had():
    batcher = batcher_of(make_sample("normal"), make_sample("high", key=LARGE, priority=0))
    batcher.charge(LARGE, 1000.0)

    assert names(batcher.next()) == ["high"]


def test_groups_take_turns_by_device_time():
    batcher = batcher_of(make_sample("small"), make_sample("large", key=LARGE))
    cost = {"small": 0.010, "large": 0.030}
    turns = []
    for _ in range(40):
        (sample,) = batcher.next()
        turns.append(sample.job_id)
        batcher.charge(sample.key, cost[sample.job_id])

    assert turns.count("small") == 3 * turns.count("large")


def test_a_newcomer_has_no_credit_for_the_time_it_was_away():
    batcher = batcher_of(make_sample("small"))
    batcher.charge(KEY, 10.0)
    batcher.add(make_sample("large", key=LARGE))
    turns = []
    for _ in range(4):
        (sample,) = batcher.next()
        turns.append(sample.job_id)
        batcher.charge(sample.key, 0.010)

    assert turns.count("large") == 2


def test_suspects_share_with_no_other_job_and_take_turns_with_the_rest():
    batcher = batcher_of(
        make_sample("suspect", key=SUSPECT, index=0),
        make_sample("suspect", key=SUSPECT, index=1),
        make_sample("another", key=SUSPECT, sequence=1),
        make_sample("ordinary", sequence=2),
        max_rows=8,
    )
    turns = []
    for _ in range(2):
        batch = batcher.next()
        turns.append(names(batch))
        batcher.charge(batch[0].key, 0.010)

    assert sorted(turns) == [["ordinary"], ["suspect", "suspect"]]


def test_reproducible_samples_never_fill_more_than_their_bucket():
    samples = [make_sample(key=REPRODUCIBLE, index=index) for index in range(8)]

    batch = batcher_of(*samples, max_rows=32).next()

    assert sum(sample.rows for sample in batch) == REPRODUCIBLE_ROWS


def test_a_narrowed_shape_stays_so_and_others_do_not():
    first, second = make_sample("a"), make_sample("b", sequence=1)
    batcher = batcher_of(first, second)

    batcher.narrow(KEY, 2)
    batcher.narrow(KEY, 3)  # never wider again
    assert names(batcher.next()) == ["a"]

    batcher.discard(first)
    batcher.discard(second)
    batcher.discard(second)  # no longer there: nothing happens
    batcher.add(first)
    batcher.add(second)
    assert names(batcher.next()) == ["a"]

    batcher.discard(first)
    batcher.discard(second)
    for sequence, name in enumerate(["c", "d"]):
        batcher.add(make_sample(name, key=LARGE, sequence=sequence))
    assert names(batcher.next()) == ["c", "d"]


def test_high_priority_displaces_across_rows_and_groups():
    running = [make_sample(f"n{number}", sequence=number) for number in range(4)]
    large = make_sample("large", key=LARGE, sequence=9)
    batcher = batcher_of(*running, large)
    assert names(batcher.next()) == ["n0", "n1"]

    batcher.add(make_sample("urgent", key=LARGE, priority=0, sequence=10))
    assert names(batcher.next()) == ["urgent", "large"]
    assert len(batcher) == 6  # the others are paused, not lost


def test_low_priority_has_a_turn_now_and_then_and_never_twice_running():
    batcher = batcher_of(
        make_sample("high", priority=0),
        make_sample("low", key=LARGE, priority=2),
        make_sample("low too", key=LARGE, priority=2, rows=4),
    )
    led = []
    for _ in range(AGED_TICKS * 4):
        batch = batcher.next()
        led.append(batch[0].priority)
        batcher.charge(batch[0].key, 0.01)
    turns = [tick for tick, priority in enumerate(led) if priority == 2]

    assert AGED_TICKS <= turns[0] <= AGED_TICKS + AGED_TURN
    assert all(later - earlier >= AGED_TURN for earlier, later in itertools.pairwise(turns))


def test_equals_do_not_age():
    batcher = batcher_of(*[make_sample(f"n{number}", sequence=number) for number in range(4)])
    assert all(names(batcher.next()) == ["n0", "n1"] for _ in range(AGED_TICKS * 3))
