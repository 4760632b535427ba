"""The keeper as a process: waits for Redis, refuses a wrong configuration, ends on SIGTERM."""

import os
import subprocess
import sys

import pytest

from tests.harness import MODELS, wait_until

REFUSED = "redis://127.0.0.1:1/0"


@pytest.fixture
def start(tmp_path, redis_settings):
    """Starts a keeper with these variables."""
    models_file = tmp_path / "models.toml"
    models_file.write_text(MODELS)
    started = []

    def start(**environment):
        own = {
            "TESSERA_REDIS_URL": redis_settings.redis_url,
            "TESSERA_MODELS_FILE": str(models_file),
            "TESSERA_METRICS_PORT": "0",
            # S3 is away, which a start does not mind.
            "TESSERA_S3_ENDPOINT_URL": "http://127.0.0.1:1",
            "TESSERA_S3_ACCESS_KEY_ID": "key",
            "TESSERA_S3_SECRET_ACCESS_KEY": "secret",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "keeper"],
            env={**os.environ, **own, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_it_works_until_sigterm(start, redis_pair):
    process = start()
    wait_until(lambda: bool(redis_pair.durable.exists("tessera:queue:reaped_at")), 30)
    process.terminate()
    assert process.wait(30) == 0


def test_it_waits_for_redis_but_not_when_told_to_stop(start):
    process = start(TESSERA_REDIS_URL=REFUSED)
    assert "cannot start yet" in process.stdout.readline()
    process.terminate()
    assert process.wait(30) == 0


def test_a_missing_catalog_is_one_line(start):
    process = start(TESSERA_MODELS_FILE="/nowhere/models.toml")
    assert process.wait(30) == 2
    (line,) = process.stderr.read().splitlines()
    assert line.startswith("tessera keeper: /nowhere/models.toml: ")
