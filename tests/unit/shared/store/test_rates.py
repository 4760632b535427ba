"""Rates: a burst at once, then as fast as time pays it off, whoever asks how often."""

from collections.abc import Callable

import pytest

from shared.errors import QuotaExceeded, RateLimited
from shared.ids import new_job_id
from shared.settings import JobSettings
from shared.store.limits import CostLimit, key_limit, tenant_limit
from shared.store.values import Created, Idempotency, NewJob
from tests.unit.shared.store.world import World, make_request

# So slow that no test lives to see a unit paid off.
SLOW = CostLimit("key:a", per_second=0.001, burst=10)


def create(world: World, limit: CostLimit, cost: int = 1, key: str | None = None) -> Created:
    request = make_request(steps=cost)
    idempotency = Idempotency(key, "ab") if key else None
    return world.store.create(NewJob(new_job_id(), "ada", request, limit=limit), idempotency)


def let_time_pass(world: World, limit: CostLimit, seconds: float) -> None:
    """The limit owes so much less."""
    name = f"tessera:limit:{limit.name}"
    world.raw.set(name, int(float(world.raw.get(name)) - seconds * 1e6))


def test_a_burst_goes_at_once_and_then_the_rate_holds(world: World) -> None:
    for left in range(9, -1, -1):
        state = create(world, SLOW).limit
        assert state is not None
        assert state.remaining == pytest.approx(left, abs=0.01)
    assert (state.burst, state.window_seconds) == (10, 10_000)
    assert state.reset_seconds == pytest.approx(10_000, rel=0.001)
    before = world.dump()
    with pytest.raises(RateLimited) as refused:
        create(world, SLOW, 3)
    assert world.dump() == before
    assert refused.value.retry_after == pytest.approx(3000, rel=0.01)
    assert refused.value.limit is not None
    assert refused.value.limit.remaining < 0.01
    let_time_pass(world, SLOW, 3001)
    create(world, SLOW, 3)
    with pytest.raises(RateLimited):
        create(world, SLOW)


def test_who_waits_as_told_gets_in(world: World) -> None:
    create(world, SLOW, 10)
    for cost in (1, 7, 10, 25):
        with pytest.raises(RateLimited) as refused:
            create(world, SLOW, cost)
        assert refused.value.retry_after is not None
        let_time_pass(world, SLOW, refused.value.retry_after)
        create(world, SLOW, cost)


def test_a_job_above_the_burst_waits_until_nothing_is_owed(world: World) -> None:
    create(world, SLOW, 30)
    with pytest.raises(RateLimited) as refused:
        create(world, SLOW, 30)
    assert refused.value.retry_after == pytest.approx(30_000, rel=0.01)


def test_each_name_has_its_own(world: World) -> None:
    create(world, SLOW, 10)
    create(world, key_limit("b", 0.001, 10), 10)


def test_refusals_and_replays_use_nothing_up(make_world: Callable[..., World]) -> None:
    world = make_world(max_queued_jobs_per_tenant=1)
    create(world, SLOW, 5, key="once")
    assert create(world, SLOW, 5, key="once").limit is None
    with pytest.raises(QuotaExceeded):
        create(world, SLOW, 5)
    let_time_pass(world, SLOW, 0)
    world.claim()
    create(world, SLOW, 5)


def test_a_create_that_is_sent_twice_counts_once(world: World) -> None:
    new = NewJob(new_job_id(), "ada", make_request(steps=6), limit=SLOW)
    states = [world.store.create(new).limit for _ in range(2)]
    assert [state.remaining for state in states if state] == pytest.approx([4, 4], abs=0.01)


def test_what_is_paid_off_leaves_no_key(world: World) -> None:
    create(world, SLOW, 2)
    left = world.raw.pttl(f"tessera:limit:{SLOW.name}")
    assert left == pytest.approx(2_000_000, rel=0.01)


def test_a_tenant_has_a_limit_where_one_is_configured() -> None:
    assert tenant_limit(JobSettings(), "ada") is None
    settings = JobSettings(cost_per_second_per_tenant=5, cost_burst_per_tenant=100)
    assert tenant_limit(settings, "ada") == CostLimit("tenant:ada", 5, 100)


def test_a_tenant_sends_so_many_bytes_a_day(make_world: Callable[..., World]) -> None:
    world = make_world(input_bytes_per_day_per_tenant=100)
    send = world.store.reserve_input
    assert not send("ada", "in_1", width=8, height=8, size=70)
    assert not send("ada", "in_1", width=8, height=8, size=70)  # the same again is free
    with pytest.raises(QuotaExceeded) as refused:
        send("ada", "in_2", width=8, height=8, size=40)
    assert refused.value.retry_after == pytest.approx(8640, rel=0.01)
    assert not send("bob", "in_2", width=8, height=8, size=40)
    assert not send("ada", "in_3", width=8, height=8, size=30)
