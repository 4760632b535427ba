"""Places of jobs in one worker: a late tenant goes before what another has piled up."""

from worker.fair_order import FairOrder


def test_one_tenant_is_served_in_order():
    order = FairOrder()
    places = [order.enter(f"a{number}", "ada", 2.0) for number in range(3)]
    assert places == [0, 2000, 4000]


def test_a_late_tenant_starts_level_with_the_job_that_is_served():
    order = FairOrder()
    for number in range(5):
        order.enter(f"a{number}", "ada", 1.0)
    for number in range(3):
        order.leave(f"a{number}")
    assert order.enter("b0", "bob", 1.0) == 3000
    assert order.enter("b1", "bob", 1.0) == 4000


def test_absence_stores_no_credit_and_an_empty_worker_no_debt():
    order = FairOrder()
    order.enter("a0", "ada", 50.0)
    order.leave("a0")
    assert order.enter("a1", "ada", 1.0) == order.enter("b0", "bob", 1.0) == 0
