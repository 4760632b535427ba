"""Servers that a test may stop, and one worker and keeper for all tests that leave them running."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.connections import RedisPair, connect
from shared.settings import RedisSettings, StorageSettings
from tessera.local.children import Child
from tests.harness import Processes, processes, tiny_models_file
from tests.receiver import Receiver, receiving
from tests.servers import Servers


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
def alone(
    tmp_path: Path,
    redis_pair: RedisPair,
    redis_settings: RedisSettings,
    storage_settings: StorageSettings,
) -> Iterator[Processes]:
    """A keeper and no worker: the test starts those that it wants."""
    with (
        processes(
            tmp_path,
            redis_pair,
            redis_settings,
            storage_settings,
            tiny_models_file(tmp_path),
            lease_seconds=LEASE_SECONDS,
        ) as started,
        started.keeper(),
    ):
        yield started


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of webhooks."""
    with receiving() as started:
        yield started


LEASE_SECONDS = 4.0
