"""What goes before a job: an estimate of the fair order, in jobs and in cost."""

import pytest

from shared.request import Priority
from shared.store.values import Ahead
from tests.unit.shared.store.world import MODEL, World


def ahead(world: World, job_id: str) -> tuple[float, float]:
    """Jobs and cost, over all models."""
    rows = world.store.ahead_of([job_id])[job_id]
    return sum(row.jobs for row in rows), sum(row.cost for row in rows)


def test_the_place_is_that_of_the_fair_order(world: World) -> None:
    flood = [world.submit("flood") for _ in range(20)]
    guest = world.submit("guest")
    high = world.submit("guest", priority=Priority.HIGH)
    assert ahead(world, high) == (0, 0)
    assert ahead(world, flood[0]) == (2, 2)
    assert ahead(world, guest) == (2, 2)
    assert ahead(world, flood[19]) == (21, 21)


def test_what_does_not_wait_has_no_place(world: World) -> None:
    waiting = world.submit()
    claim = world.claim()
    assert claim.job.id == waiting
    assert world.store.ahead_of([waiting, "job_none"]) == {}
    assert world.store.ahead_of([]) == {}


def test_a_tenant_that_was_served_less_waits_for_less(world: World) -> None:
    for _ in range(20):
        world.submit("flood")
    for _ in range(6):
        world.claim()
    guests = [world.submit("guest") for _ in range(3)]
    assert [ahead(world, job_id)[0] for job_id in guests] == [1, 3, 5]


def test_shares_are_of_cost(world: World) -> None:
    for _ in range(10):
        world.submit("large", steps=10)
    small = [world.submit("small", steps=1) for _ in range(10)]
    _, cost = ahead(world, small[9])
    assert 9 + 9 <= cost <= 9 + 20  # nine of its own, and one or two of the large ones


def test_higher_lanes_and_older_jobs_of_other_models_go_first(world: World) -> None:
    world.submit(model="other", steps=4)
    job_id = world.submit()
    world.submit(model="other", steps=4)
    world.submit(model="third", steps=2, priority=Priority.HIGH)
    world.submit(model="third", priority=Priority.LOW)
    rows = world.store.ahead_of([job_id])[job_id]
    assert set(rows) == {Ahead("other", 1, 4), Ahead("third", 1, 2)}


def test_the_place_among_very_many_tenants_is_extrapolated(world: World) -> None:
    ids = [world.submit(f"tenant-{number:03}") for number in range(150)]
    assert 140 <= ahead(world, ids[-1])[0] <= 150


@pytest.mark.parametrize("tenant", ["ada", "new"])
def test_a_prospect_is_what_a_submission_then_finds(world: World, tenant: str) -> None:
    for number in range(6):
        world.submit("ada", steps=number + 1)
        world.submit("bob")
    world.claim()
    before = world.dump()
    prospect = world.store.prospect(MODEL, Priority.NORMAL, tenant)
    assert world.dump() == before
    created = world.create(tenant)
    assert created.ahead == world.store.ahead_of([created.job_id])[created.job_id]
    assert created.ahead[0].jobs == pytest.approx(prospect[0].jobs, abs=1)
