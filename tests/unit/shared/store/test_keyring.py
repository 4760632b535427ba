"""API keys: shown once, kept as a hash, good until they end."""

import pytest

from shared.connections import RedisPair
from shared.errors import InvalidRequest, NotFound
from shared.store.api_key import Caller
from shared.store.keyring import Keyring
from shared.store.signing import SigningSecrets


@pytest.fixture
def keyring(redis_pair: RedisPair) -> Keyring:
    return Keyring(redis_pair.durable)


def test_a_key_stands_for_its_tenant(keyring: Keyring) -> None:
    key, secret = keyring.create("ada", {"jobs:read"})
    assert secret.startswith(f"tsk_{key.id}_")
    assert keyring.verify(secret) == Caller("ada", key.id, frozenset({"jobs:read"}), key.id)
    assert keyring.list() == (key,)
    assert key.expires_at is None


def test_the_secret_is_nowhere(keyring: Keyring, redis_pair: RedisPair) -> None:
    key, secret = keyring.create("ada", {"jobs:read"})
    fields = redis_pair.durable.hgetall(f"tessera:apikey:{key.id}")
    assert secret.removeprefix(f"tsk_{key.id}_") not in str(fields)


def test_anything_else_stands_for_nobody(keyring: Keyring) -> None:
    key, secret = keyring.create("ada", {"jobs:read"})
    _, other = keyring.create("bob", {"jobs:read"})
    crossed = f"tsk_{key.id}_{other[-43:]}"
    wrong = ["", "tsk_", secret[:-1], secret + "x", secret.upper(), crossed, " " + secret, "ключ"]
    wrong += [f"tsk_{'0' * 16}_{secret[-43:]}", f"tsk__{secret[-43:]}", f"tsk_*_{secret[-43:]}"]
    assert [keyring.verify(text) for text in wrong] == [None] * len(wrong)


def test_a_key_ends_when_it_is_revoked(keyring: Keyring) -> None:
    key, secret = keyring.create("ada", {"jobs:read"})
    assert keyring.revoke(key.id)
    assert keyring.verify(secret) is None
    assert keyring.list() == ()
    assert not keyring.revoke(key.id)


def test_a_key_ends_in_time(keyring: Keyring, redis_pair: RedisPair) -> None:
    key, secret = keyring.create("ada", {"jobs:read"}, 3600.0)
    assert key.expires_at is not None
    assert keyring.list() == (key,)
    name = f"tessera:apikey:{key.id}"
    assert 3590 < redis_pair.durable.ttl(name) <= 3600
    redis_pair.durable.pexpireat(name, 1)
    assert keyring.verify(secret) is None
    assert keyring.list() == ()
    assert not redis_pair.durable.exists("tessera:apikeys")


def test_a_rotated_key_goes_on_for_a_while(keyring: Keyring, redis_pair: RedisPair) -> None:
    old, old_secret = keyring.create("ada", {"jobs:read"})
    new, new_secret = keyring.rotate(old.id, 600.0)
    assert keyring.verify(old_secret) == Caller("ada", old.id, frozenset({"jobs:read"}), old.id)
    assert keyring.verify(new_secret) == Caller("ada", new.id, frozenset({"jobs:read"}), old.id)
    assert 590 < redis_pair.durable.ttl(f"tessera:apikey:{old.id}") <= 600
    assert new.expires_at is None
    keyring.rotate(old.id, 6000.0)
    assert redis_pair.durable.ttl(f"tessera:apikey:{old.id}") <= 600
    keyring.rotate(new.id, 0.0)
    assert keyring.verify(new_secret) is None
    with pytest.raises(NotFound):
        keyring.rotate("0" * 16)


@pytest.mark.parametrize("tenant", ["", "a/b", "a:b", "../x", "-a", "a" * 65, "имя", "a b", "a\n"])
def test_a_tenants_name_is_safe_everywhere(keyring: Keyring, tenant: str) -> None:
    with pytest.raises(InvalidRequest):
        keyring.create(tenant, {"jobs:read"})


@pytest.mark.parametrize("scopes", [set(), {"jobs"}, {"jobs:read", "root"}])
def test_scopes_are_known(keyring: Keyring, scopes: set[str]) -> None:
    with pytest.raises(InvalidRequest):
        keyring.create("ada", scopes)


def test_webhooks_keep_their_secret_over_rotations(keyring: Keyring, redis_pair: RedisPair) -> None:
    signing = SigningSecrets(redis_pair.durable)
    url = "https://a.test/hook"
    old, _ = keyring.create("ada", {"jobs:read"}, webhook_url=url)
    (secret,) = signing.of(old.owner)
    new, presented = keyring.rotate(old.id)
    assert (new.owner, new.webhook_url) == (old.id, url)
    caller = keyring.verify(presented)
    assert caller is not None
    assert (caller.owner, caller.webhook_url) == (old.id, url)
    keyring.revoke(old.id)
    assert redis_pair.durable.ttl(f"tessera:signing:{old.id}") == -1
    keyring.revoke(new.id)
    assert signing.of(old.owner) == (secret,)
    assert redis_pair.durable.ttl(f"tessera:signing:{old.id}") > 0


def test_a_default_webhook_must_be_a_url(keyring: Keyring) -> None:
    with pytest.raises(InvalidRequest):
        keyring.create("ada", {"jobs:read"}, webhook_url="ftp://a.test/")
