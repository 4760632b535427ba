"""`tessera webhook`: what the receiver takes and prints, and the secrets of a key."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

from shared.connections import RedisPair
from shared.settings import RedisSettings
from shared.signature import new_secret, signed_headers
from shared.store.keyring import Keyring

COMMAND = [sys.executable, "-m", "tessera", "webhook"]
EVENT = {
    "type": "job.succeeded",
    "timestamp": "2026-11-22T12:00:00.000000Z",
    "data": {"id": "job_1", "images": [{"url": "http://a.test/0"}], "error": None},
}


@contextmanager
def listening(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A running receiver, and its address."""
    process = subprocess.Popen(
        [*COMMAND, "listen", "--port", "0", *arguments], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    try:
        yield process, process.stdout.readline().split()[-1]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)


def test_it_prints_what_is_signed_and_refuses_the_rest():
    secret = new_secret()
    body = json.dumps(EVENT).encode()
    with listening("--secret", secret) as (process, url):
        for signing, status, line in (
            (secret, 204, "2026-11-22T12:00:00.000000Z  job.succeeded  job_1  http://a.test/0"),
            (new_secret(), 401, "refused: not signed with this secret"),
        ):
            headers = signed_headers("msg_1", body, [signing], time.time())
            answer = httpx2.post(url, content=body, headers=headers, trust_env=False)
            assert answer.status_code == status
            assert process.stdout.readline() == line + "\n"
    assert process.returncode == 0


def test_it_wants_a_secret(tmp_path):
    for arguments in (["--data-dir", str(tmp_path)], ["--secret", "sesame"]):
        ended = subprocess.run(
            [*COMMAND, "listen", *arguments], capture_output=True, text=True, check=False
        )
        assert ended.returncode == 1
        assert ended.stderr.startswith("error: ")


def test_the_secret_of_a_key_is_shown_and_rotated(
    redis_settings: RedisSettings, redis_pair: RedisPair
):
    def run(*arguments: str) -> list[str]:
        ended = subprocess.run(
            [*COMMAND, *arguments],
            env={**os.environ, "TESSERA_REDIS_URL": redis_settings.redis_url},
            capture_output=True,
            text=True,
            check=False,
        )
        return ended.stdout.split() if ended.returncode == 0 else [ended.stderr]

    key, _ = Keyring(redis_pair.durable).create("acme", ["jobs:read", "jobs:write", "webhooks"])
    (first,) = run("secret", key.id)
    (second,) = run("rotate", key.id)
    assert run("secret", key.id) == [second, first]
    assert run("secret", "nobody") == ["error: no such API key\n"]
