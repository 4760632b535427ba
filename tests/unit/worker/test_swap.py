"""Which model makes room for which."""

import pytest

from worker.swap import Held, Swap, Wanted, choose_swap

PATIENCE = 20.0
BUDGET = 10


def held(model_id, size=6, busy=False, idle=5.0, resident=100.0):
    return Held(model_id, size, busy, idle, resident)


def wanted(model_id, size=6, oldest=1.0):
    return Wanted(model_id, size, oldest)


def choose(wanted, held, budget=BUDGET):
    return choose_swap(wanted, held, budget, PATIENCE)


def test_nothing_is_wanted():
    assert choose([], [held("a")]) is None


def test_where_there_is_room_nobody_leaves():
    assert choose([wanted("b", size=4)], [held("a")]) == Swap("b", ())
    assert choose([wanted("b")], [held("a")], budget=float("inf")) == Swap("b", ())


def test_a_model_without_work_leaves_at_once():
    assert choose([wanted("b")], [held("a")]) == Swap("b", ("a",))


def test_the_one_used_longest_ago_leaves_and_no_more_than_need_be():
    three = [held("a", 3, idle=1.0), held("b", 3, idle=9.0), held("c", 3, idle=5.0)]

    assert choose([wanted("d", 4)], three) == Swap("d", ("b",))
    assert choose([wanted("d", 5)], three) == Swap("d", ("b", "c"))


@pytest.mark.parametrize(
    ("oldest", "resident", "swaps"),
    [(19.0, 100.0, False), (20.0, 100.0, True), (1000.0, 19.0, False)],
)
def test_a_model_with_work_leaves_after_a_wait_and_not_soon_after_it_came(oldest, resident, swaps):
    found = choose([wanted("b", oldest=oldest)], [held("a", busy=True, resident=resident)])

    assert found == (Swap("b", ("a",)) if swaps else None)


def test_those_without_work_go_before_those_with():
    both = [held("a", 5, busy=True, idle=50.0), held("b", 5, idle=1.0)]

    assert choose([wanted("c", 5, oldest=60.0)], both) == Swap("c", ("b",))


def test_the_longest_wait_is_served_first_and_one_that_cannot_be_does_not_block():
    models = [wanted("b", 4, oldest=3.0), wanted("c", 4, oldest=7.0), wanted("d", 9, oldest=9.0)]

    assert choose(models, [held("a", busy=True)]) == Swap("c", ())
