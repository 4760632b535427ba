"""Every key that the store leaves is documented or has a TTL."""

import re

from shared.store import keys
from shared.store.keyring import Keyring
from shared.store.link_secret import link_secret
from tests.unit.shared.store.test_reading import make_worker
from tests.unit.shared.store.world import STATES, World


def test_every_key_has_a_ttl_or_is_on_the_list(world: World) -> None:
    for state in STATES:
        world.bring(state)
    for priority in ("high", "normal", "low"):
        for tenant in ("ada", "bob-2"):
            world.create(tenant, priority=priority, key=(priority, "ab"), deadline_seconds=60.0)
    world.claim()
    world.store.reap()
    world.store.announce_worker(make_worker("host-1"))
    Keyring(world.redis.durable).create("ada", {"jobs"})
    link_secret(world.redis.durable)
    lasting = {key for key in world.raw.scan_iter() if world.raw.ttl(key) == -1}
    assert all(key.startswith("tessera:") for key in world.raw.scan_iter())
    used = set()
    for key in lasting:
        patterns = [pattern for pattern in keys.LASTING if re.fullmatch(pattern, key)]
        assert len(patterns) == 1, key
        used.update(patterns)
    assert used == set(keys.LASTING)
