"""How long a key is trusted without a look-up: five seconds, and not one look more."""

import asyncio

import pytest
from fastapi import Request

from api.auth import TRUST_SECONDS, Authenticator
from api.settings import AuthMode
from shared.connections import RedisPair
from shared.errors import Unauthorized
from shared.store.api_key import USUAL_SCOPES
from shared.store.keyring import Keyring


def request_with(presented: str) -> Request:
    headers = [(b"authorization", f"Bearer {presented}".encode())]
    return Request({"type": "http", "headers": headers, "client": ("192.0.2.1", 5000)})


def test_a_revoked_key_ends_within_five_seconds(redis_pair: RedisPair):
    now = 1000.0
    keyring = Keyring(redis_pair.durable)
    key, presented = keyring.create("ada", USUAL_SCOPES)
    authenticator = Authenticator(AuthMode.KEYS, keyring, clock=lambda: now)

    def tenant() -> str:
        return asyncio.run(authenticator.caller(request_with(presented))).tenant

    assert tenant() == "ada"
    keyring.revoke(key.id)
    now += TRUST_SECONDS - 0.1
    assert tenant() == "ada"
    now += 0.1
    with pytest.raises(Unauthorized):
        tenant()
    assert TRUST_SECONDS <= 5


def test_a_gateway_that_saw_nothing_asks_at_once(redis_pair: RedisPair):
    keyring = Keyring(redis_pair.durable)
    key, presented = keyring.create("ada", USUAL_SCOPES)
    keyring.revoke(key.id)
    with pytest.raises(Unauthorized):
        asyncio.run(Authenticator(AuthMode.KEYS, keyring).caller(request_with(presented)))
