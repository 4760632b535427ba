"""`tessera keys` against a real store: what it prints opens the door until it is revoked."""

import os
import subprocess
import sys

from shared.connections import RedisPair
from shared.settings import RedisSettings
from shared.store.keyring import Keyring


def run(settings: RedisSettings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tessera", "keys", *arguments],
        env={**os.environ, "TESSERA_REDIS_URL": settings.redis_url},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_key_is_made_listed_rotated_and_revoked(
    redis_settings: RedisSettings, redis_pair: RedisPair
):
    keyring = Keyring(redis_pair.durable)
    key = run(redis_settings, "create", "--tenant", "acme", "--expires-days", "2").stdout.strip()
    caller = keyring.verify(key)
    assert caller
    assert caller.tenant == "acme"

    listed = run(redis_settings, "list").stdout
    assert listed.startswith(f"{caller.key_id}  acme  jobs:read,jobs:write,webhooks  until 20")
    assert key not in listed

    rotated = run(redis_settings, "rotate", caller.key_id).stdout.strip()
    assert rotated != key
    assert keyring.verify(rotated)

    assert run(redis_settings, "revoke", caller.key_id).returncode == 0
    assert keyring.verify(key) is None
    assert run(redis_settings, "revoke", caller.key_id).stderr == "error: no such API key\n"


def test_a_scope_that_does_not_exist_is_refused(redis_settings: RedisSettings):
    ended = run(redis_settings, "create", "--tenant", "acme", "--scopes", "everything")
    assert ended.returncode == 1
    assert ended.stderr == "error: scopes are: jobs:read, jobs:write, webhooks, admin\n"
