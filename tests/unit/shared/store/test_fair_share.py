"""Whose turn it is: priority, ageing, tenants by virtual time, each tenant's oldest job."""

from collections import Counter

import pytest

from shared.ids import new_attempt_id
from shared.request import Priority
from shared.store.scripts import AGED_TURN, AGEING_SECONDS
from tests.unit.shared.store.world import MODEL, WORKER, World

LONG_AGO = 1.0  # a score of that time has waited longer than any ageing


def order(world: World, number: int) -> list[str]:
    """The tenants of the next claims."""
    return [world.claim().job.tenant for _ in range(number)]


def let_age(world: World, job_id: str, priority: Priority) -> None:
    world.raw.zadd(f"tessera:lane:{MODEL}:{priority}:waiting", {job_id: LONG_AGO}, xx=True)


def test_a_tenant_is_served_oldest_first(world: World) -> None:
    ids = [world.submit() for _ in range(5)]
    assert [world.claim().job.id for _ in ids] == ids


def test_a_flood_of_one_tenant_delays_another_by_one_job(world: World) -> None:
    for _ in range(20):
        world.submit("flood")
    assert order(world, 3) == ["flood"] * 3
    for _ in range(3):
        world.submit("guest")
    assert Counter(order(world, 6)) == {"flood": 3, "guest": 3}


def test_several_claims_at_once_are_as_fair_and_as_many_as_jobs(world: World) -> None:
    for tenant in ("flood", "flood", "flood", "guest", "guest"):
        world.submit(tenant)
    attempts = [new_attempt_id() for _ in range(7)]
    claims = world.store.claim_many([MODEL], attempts[:4], WORKER)
    assert Counter(claim.job.tenant for claim in claims) == {"flood": 2, "guest": 2}
    assert [claim.attempt_id for claim in claims] == attempts[:4]
    assert len(world.store.claim_many([MODEL], attempts[4:], WORKER)) == 1


def test_shares_are_of_cost_and_not_of_jobs(world: World) -> None:
    for _ in range(12):
        world.submit("large", steps=30)
        world.submit("small", steps=10)
    served = order(world, 12)
    assert Counter(served) == {"large": 3, "small": 9}


def test_absence_stores_no_credit(world: World) -> None:
    for _ in range(20):
        world.submit("busy")
    world.submit("idler")
    order(world, 11)
    for _ in range(6):
        world.submit("idler")
    assert Counter(order(world, 6)) == {"busy": 3, "idler": 3}


def test_leaving_and_coming_back_hides_no_debt(world: World) -> None:
    for _ in range(30):
        world.submit("steady")
    world.submit("tricky", steps=10)
    served = order(world, 2)
    assert sorted(served) == ["steady", "tricky"]
    world.submit("tricky", steps=10)
    assert order(world, 9) == ["steady"] * 9


def test_a_debt_is_forgotten_once_nobody_waits(world: World) -> None:
    world.submit("a", steps=100)
    order(world, 1)
    world.submit("b")
    world.submit("b")
    world.submit("a")
    assert set(order(world, 2)) == {"a", "b"}


def test_a_cancelled_job_costs_nothing_and_gains_nothing(world: World) -> None:
    for _ in range(4):
        world.submit("a")
        world.store.cancel(world.submit("b", steps=100))
        world.submit("b")
    assert Counter(order(world, 4)) == {"a": 2, "b": 2}


def test_higher_lanes_go_first(world: World) -> None:
    lanes = [Priority.LOW, Priority.NORMAL, Priority.HIGH]
    for priority in lanes:
        world.submit(priority=priority)
    served = [world.claim().job.request.priority for _ in lanes]
    assert served == [Priority.HIGH, Priority.NORMAL, Priority.LOW]


@pytest.mark.parametrize(
    ("floor", "served"),
    [
        (Priority.HIGH, ["high"]),
        (Priority.NORMAL, ["high", "normal"]),
        (None, ["high", "normal", "low"]),
    ],
)
def test_a_kept_slot_takes_only_its_lanes(
    world: World, floor: Priority | None, served: list[str]
) -> None:
    for priority in Priority:
        world.submit(priority=priority)
    for expected in served:
        assert world.claim(priority_floor=floor).job.request.priority == expected
    assert world.store.claim([MODEL], new_attempt_id(), "w", priority_floor=floor) is None


def test_an_aged_low_job_gets_one_turn_in_so_many(world: World) -> None:
    old = [world.submit(priority=Priority.LOW) for _ in range(2)]
    for job_id in old:
        let_age(world, job_id, Priority.LOW)
    for _ in range(3 * AGED_TURN):
        world.submit(priority=Priority.HIGH)
    served = [world.claim().job.id in old for _ in range(2 * AGED_TURN)]
    assert served == ([False] * (AGED_TURN - 1) + [True]) * 2


def test_a_young_low_job_waits_for_higher_ones(world: World) -> None:
    low = world.submit(priority=Priority.LOW)
    for _ in range(3 * AGED_TURN):
        world.submit(priority=Priority.HIGH)
    assert AGEING_SECONDS > 10
    assert low not in [world.claim().job.id for _ in range(3 * AGED_TURN)]


def test_the_aged_turn_goes_to_the_lane_that_waits_longest(world: World) -> None:
    normal, low = world.submit(), world.submit(priority=Priority.LOW)
    let_age(world, low, Priority.LOW)
    world.raw.zadd(f"tessera:lane:{MODEL}:normal:waiting", {normal: LONG_AGO + 1})
    for _ in range(AGED_TURN):
        world.submit(priority=Priority.HIGH)
    served = [world.claim().job.id for _ in range(AGED_TURN)]
    assert served[-1] == low


def test_among_models_the_longer_wait_goes_first(world: World) -> None:
    first = world.submit(model="b")
    second = world.submit(model="a")
    served = [world.store.claim(["a", "b"], new_attempt_id(), "w") for _ in range(2)]
    assert [claim.job.id for claim in served if claim] == [first, second]


def test_only_the_named_models_are_claimed(world: World) -> None:
    world.submit(model="other")
    assert world.store.claim([MODEL], new_attempt_id(), "w") is None
    assert world.store.claim([], new_attempt_id(), "w") is None


def test_an_overdue_job_is_never_started(world: World) -> None:
    late = world.submit(deadline_seconds=600.0)
    next_one = world.submit()
    world.pass_deadline(late)
    assert world.claim().job.id == next_one
    assert world.status(late) == "expired"


def test_a_job_that_comes_back_keeps_its_place(world: World) -> None:
    claim = world.start()
    world.submit()
    world.release(claim)
    assert world.claim().job.id == claim.job.id


def test_a_thousand_tenants_are_served_evenly(world: World) -> None:
    for _ in range(2):
        for number in range(200):
            world.submit(f"tenant-{number}")
    assert len(set(order(world, 200))) == 200
