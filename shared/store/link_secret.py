"""The secret that signs the gateways' links: made by the first of them, the same for all."""

import secrets

import redis

from shared.connections import store_errors
from shared.store.keys import LINK_SECRET


def link_secret(client: redis.Redis) -> str:
    """That secret. `client` is the durable server's. Raises StoreUnavailable."""
    with store_errors():
        client.set(LINK_SECRET, secrets.token_hex(32), nx=True)
        found = client.get(LINK_SECRET)
    return str(found)
