"""Redis or S3 away: 503 with the reason and `Retry-After`, nothing half-written, no restart."""

import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import pytest

from api.settings import Settings
from shared.settings import RedisSettings
from tessera.local.children import Child
from tessera.local.ports import free_ports
from tessera.local.servers import (
    SEAWEED_PORTS,
    remove_seaweed_sockets,
    start_seaweed,
    start_valkey,
    storage_settings,
)
from tests.integration.conftest import Gateway, running_gateway

BODY = {"prompt": "a red apple"}
NAMES = {"bucket": "tessera", "key": "test", "secret": "test-secret"}


@dataclass
class Servers:
    """A Valkey and an S3 server that a test may stop and start again where they were."""

    directory: Path
    ports: dict[str, int]

    def start_valkey(self) -> None:
        folder = self.directory / "valkey"
        self.valkey = start_valkey(folder, self.directory / "valkey.log", self.ports["valkey"])

    def start_seaweed(self) -> None:
        folder = self.directory / "s3"
        self.seaweed: Child = start_seaweed(folder, self.directory / "s3.log", self.ports, **NAMES)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    running = Servers(tmp_path, free_ports(["valkey", *SEAWEED_PORTS]))
    running.start_valkey()
    running.start_seaweed()
    yield running
    running.seaweed.stop(10)
    running.valkey.stop(5)
    remove_seaweed_sockets({name: running.ports[name] for name in SEAWEED_PORTS})


@pytest.fixture
def gateway(gateway_settings: Settings, servers: Servers) -> Iterator[Gateway]:
    redis = RedisSettings(redis_url=f"redis://127.0.0.1:{servers.ports['valkey']}/0")
    storage = storage_settings(servers.ports["s3"], **NAMES)
    with running_gateway(replace(gateway_settings, redis=redis, storage=storage)) as running:
        yield running


def until(condition: Callable[[], bool]) -> None:
    for _ in range(300):
        if condition():
            return
        threading.Event().wait(0.05)
    raise AssertionError("did not happen within 15 s")


def refused(answer: httpx2.Response) -> str:
    """Check that it is a 503 that says when to come back; its code."""
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.json()["code"]


def test_valkey_away_and_back(gateway: Gateway, servers: Servers):
    client = gateway.client
    before = client.post("/v1/jobs", json=BODY).json()["id"]
    servers.valkey.stop(5)
    assert refused(client.post("/v1/jobs", json=BODY)) == "store_unavailable"
    assert refused(client.get(f"/v1/jobs/{before}")) == "store_unavailable"
    until(lambda: client.get("/readyz").status_code == 503)
    assert refused(client.get("/readyz")) == "store_unavailable"
    assert client.get("/livez").status_code == 200
    servers.start_valkey()
    until(lambda: client.get("/readyz").status_code == 200)
    assert [job["id"] for job in client.get("/v1/jobs").json()["data"]] == [before]
    # The subscription is back as well: a stream hears of what happens now.
    with client.sse(f"/v1/jobs/{before}/events") as source:
        events = iter(source)
        next(events)
        client.post(f"/v1/jobs/{before}/cancel")
        assert '"canceled"' in next(events).data


def test_s3_away_and_back(gateway: Gateway, servers: Servers):
    client = gateway.client
    servers.seaweed.stop(10)
    until(lambda: client.get("/readyz").status_code == 503)
    assert refused(client.get("/readyz")) == "storage_unavailable"
    assert refused(client.post("/v1/jobs", json=BODY)) == "storage_unavailable"
    assert client.get("/v1/jobs").json()["data"] == []
    servers.start_seaweed()
    until(lambda: client.get("/readyz").status_code == 200)
    assert client.post("/v1/jobs", json=BODY).status_code == 202


def test_a_server_that_hangs_hangs_nobody_else(gateway: Gateway, servers: Servers):
    client = gateway.client
    servers.seaweed.process.send_signal(signal.SIGSTOP)
    try:
        until(lambda: client.get("/readyz").status_code == 503)
        assert refused(client.post("/v1/jobs", json=BODY)) == "not_ready"
    finally:
        servers.seaweed.process.send_signal(signal.SIGCONT)
    until(lambda: client.get("/readyz").status_code == 200)


def test_a_gateway_starts_without_its_servers(gateway_settings: Settings):
    nowhere = RedisSettings(redis_url=f"redis://127.0.0.1:{free_ports(['none'])['none']}/0")
    with running_gateway(replace(gateway_settings, redis=nowhere)) as running:
        assert refused(running.client.get("/readyz")) == "store_unavailable"
        assert refused(running.client.post("/v1/jobs", json=BODY)) == "store_unavailable"
