"""Every key that the store leaves is documented or has a TTL."""

import re

from shared.request import Webhook
from shared.settings import JobSettings
from shared.store import keys
from shared.store.api_key import Scope
from shared.store.deliveries import DeliveryStore
from shared.store.keyring import Keyring
from shared.store.link_secret import link_secret
from shared.store.webhook_route import webhook_route
from tests.unit.shared.store.test_reading import make_worker
from tests.unit.shared.store.world import STATES, World, make_request


def test_every_key_has_a_ttl_or_is_on_the_list(world: World) -> None:
    for state in STATES:
        world.bring(state)
    for priority in ("high", "normal", "low"):
        for tenant in ("ada", "bob-2"):
            world.create(tenant, priority=priority, key=(priority, "ab"), deadline_seconds=60.0)
    world.claim()
    world.store.reap()
    world.store.announce_worker(make_worker("host-1"))
    for _ in range(2):
        url = Webhook(url="https://a.test/", events=("started",))
        route = webhook_route(make_request(webhook=url), "ada", "owner", "https://b.test")
        world.create(webhook=route, priority="high")
        world.claim()
    DeliveryStore(world.redis, JobSettings()).claim(1, 60)
    Keyring(world.redis.durable).create("ada", {Scope.JOBS_READ})
    world.store.reserve_input("ada", "in_0", width=8, height=8, size=70)
    world.store.confirm_input("ada", "in_0")
    world.store.use_inputs("ada", "job_0", ["in_0"])
    link_secret(world.redis.durable)
    lasting = {key for key in world.raw.scan_iter() if world.raw.ttl(key) == -1}
    assert all(key.startswith("tessera:") for key in world.raw.scan_iter())
    used = set()
    for key in lasting:
        patterns = [pattern for pattern in keys.LASTING if re.fullmatch(pattern, key)]
        assert len(patterns) == 1, key
        used.update(patterns)
    assert used == set(keys.LASTING)
