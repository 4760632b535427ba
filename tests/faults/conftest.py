"""Servers that a test may stop, and one worker and keeper for all tests that leave them running."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.connections import RedisPair, connect
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
from tests.harness import Processes, processes, tiny_models_file
from tests.receiver import Receiver, receiving


class Servers:
    """A Valkey and an S3 server of the fault tests' own, which keep their data when restarted."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._valkey_port = free_ports(["valkey"])["valkey"]
        self._seaweed_ports = free_ports(SEAWEED_PORTS)
        self.redis_settings = RedisSettings(redis_url=f"redis://127.0.0.1:{self._valkey_port}/0")
        self.storage = storage_settings(
            self._seaweed_ports["s3"], bucket="tessera", key="test", secret="test-secret"
        )
        self.start_valkey()
        self.start_seaweed()

    def start_valkey(self) -> None:
        self.valkey = start_valkey(
            self._directory / "valkey", self._directory / "valkey.log", self._valkey_port
        )

    def start_seaweed(self) -> None:
        self.seaweed = start_seaweed(
            self._directory / "seaweed",
            self._directory / "seaweed.log",
            self._seaweed_ports,
            bucket="tessera",
            key="test",
            secret="test-secret",
        )

    def stop(self) -> None:
        self.seaweed.stop(10)
        self.valkey.stop(5)
        remove_seaweed_sockets(self._seaweed_ports)


@dataclass(frozen=True)
class Line:
    """What the tests share: servers, a worker, a keeper."""

    servers: Servers
    processes: Processes
    worker: Child
    keeper: Child


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Valkey and S3, stopped at the end."""
    started = Servers(tmp_path_factory.mktemp("servers"))
    yield started
    started.stop()


@pytest.fixture(scope="session")
def redis_of_faults(servers: Servers) -> Iterator[RedisPair]:
    """Clients of that Valkey."""
    pair = connect(servers.redis_settings, name="test")
    yield pair
    pair.durable.close()


@pytest.fixture(scope="session")
def line(
    servers: Servers, redis_of_faults: RedisPair, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Line]:
    """A ready worker and a keeper. Leases are shorter than in production, so that tests are."""
    directory = tmp_path_factory.mktemp("line")
    with (
        processes(
            directory,
            redis_of_faults,
            servers.redis_settings,
            servers.storage,
            tiny_models_file(directory),
            lease_seconds=LEASE_SECONDS,
        ) as started,
        started.keeper() as keeper,
        started.worker() as worker,
    ):
        yield Line(servers, started, worker, keeper)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of webhooks."""
    with receiving() as started:
        yield started


LEASE_SECONDS = 4.0
