"""Records of input pictures: one per tenant and content, renewed by use, removed in two moves."""

import pytest

from shared.errors import StoreUnavailable
from shared.ids import new_job_id
from shared.store import keys
from tests.unit.shared.store.world import World

PICTURE = "in_0a1b"


def add(world: World, tenant: str = "ada", input_id: str = PICTURE) -> None:
    assert not world.store.reserve_input(tenant, input_id, width=8, height=6, size=70)
    world.store.confirm_input(tenant, input_id)


def let_time_pass(world: World, tenant: str = "ada", input_id: str = PICTURE) -> None:
    world.raw.zadd(keys.INPUTS, {f"{tenant}/{input_id}": 1}, xx=True)


def test_what_is_not_in_the_bucket_yet_is_not_there(world: World):
    world.store.reserve_input("ada", PICTURE, width=8, height=6, size=70)
    assert world.store.find_input("ada", PICTURE) is None
    world.store.confirm_input("ada", PICTURE)
    found = world.store.find_input("ada", PICTURE)
    assert found is not None
    assert (found.width, found.height, found.bytes) == (8, 6, 70)
    assert world.store.find_input("bob", PICTURE) is None


def test_the_same_again_is_there_already(world: World):
    add(world)
    assert world.store.reserve_input("ada", PICTURE, width=8, height=6, size=70)


def test_use_renews(world: World):
    add(world)
    let_time_pass(world)
    found = world.store.find_input("ada", PICTURE)
    assert found is not None
    assert found.expires_at > 1_000_000
    assert world.store.due_inputs(10) == []


def test_what_a_living_job_uses_stays(world: World):
    add(world)
    job_id = new_job_id()
    world.store.use_inputs("ada", job_id, [PICTURE, PICTURE])
    world.create(job_id=job_id)
    let_time_pass(world)
    assert world.store.due_inputs(10) == []
    world.store.cancel(job_id)
    let_time_pass(world)
    assert world.store.due_inputs(10) == [("ada", PICTURE)]


def test_what_leaves_is_gone_at_once_and_can_come_back_after(world: World):
    add(world)
    let_time_pass(world)
    assert world.store.due_inputs(10) == [("ada", PICTURE)]
    assert world.store.due_inputs(10) == [("ada", PICTURE)]  # a keeper that died is followed
    assert world.store.find_input("ada", PICTURE) is None
    with pytest.raises(StoreUnavailable):
        world.store.reserve_input("ada", PICTURE, width=8, height=6, size=70)
    world.store.forget_input("ada", PICTURE)
    assert world.dump() == {}
    add(world)
