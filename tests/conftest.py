"""Real servers for every test that asks for one: a Valkey and an S3 server a session."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from shared.connections import RedisPair, connect
from shared.objects import ObjectStore
from shared.queue import TicketQueue, connect_rq
from shared.settings import RedisSettings, StorageSettings
from tessera.local.ports import free_ports
from tessera.local.servers import (
    SEAWEED_PORTS,
    remove_seaweed_sockets,
    start_seaweed,
    start_valkey,
)
from tessera.local.servers import storage_settings as storage_settings_of

# Who is started in a shell's background ignores Ctrl-C, and so would the processes that we start.
signal.signal(signal.SIGINT, signal.default_int_handler)

FOLDERS = ("unit", "integration", "e2e", "faults", "gpu", "slow")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test's marker is the folder it lies in; nobody writes it by hand.

    With `-n 2` one process has all tests that start others, those with faults last, when the unit
    tests of the other process are done: they look at times.
    """
    root = Path(__file__).parent
    for item in items:
        folder = item.path.relative_to(root).parts[0]
        if folder in FOLDERS:
            item.add_marker(getattr(pytest.mark, folder))
        group = item.path.stem if folder == "unit" else "processes"
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: item.get_closest_marker("faults") is not None)


@dataclass(frozen=True)
class ValkeyServer:
    """A running Valkey."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """One Valkey for the session, append-only file on, as in production."""
    directory = tmp_path_factory.mktemp("valkey")
    port = free_ports(["valkey"])["valkey"]
    child = start_valkey(directory / "data", directory / "valkey.log", port)
    yield ValkeyServer(port, child.pid)
    child.stop(5)


@pytest.fixture
def redis_settings(valkey: ValkeyServer) -> RedisSettings:
    """Settings for an empty Valkey."""
    with redis.Redis(port=valkey.port) as client:
        client.flushall()
        client.script_flush()
    return RedisSettings(redis_url=valkey.url)


@pytest.fixture
def rq_connection(redis_settings: RedisSettings) -> Iterator["redis.Redis"]:
    """RQ's own connection to the same server."""
    connection = connect_rq(redis_settings, name="test")
    yield connection
    connection.close()


@pytest.fixture
def ticket_queue(redis_settings: RedisSettings) -> Iterator[TicketQueue]:
    """Sends tickets through it."""
    tickets = TicketQueue(redis_settings)
    yield tickets
    tickets.close()


@pytest.fixture
def redis_pair(redis_settings: RedisSettings) -> Iterator[RedisPair]:
    """Clients of an empty Valkey."""
    pair = connect(redis_settings, name="test")
    yield pair
    pair.durable.close()


@pytest.fixture(scope="session")
def storage_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorageSettings]:
    """One SeaweedFS for the session, with a bucket that clients can reach."""
    directory = tmp_path_factory.mktemp("seaweed")
    ports = free_ports(SEAWEED_PORTS)
    child = start_seaweed(
        directory / "data",
        directory / "seaweed.log",
        ports,
        bucket="tessera",
        key="test",
        secret="test-secret",
    )
    local = storage_settings_of(ports["s3"], bucket="tessera", key="test", secret="test-secret")
    yield local.model_copy(update={"s3_public_url": local.s3_endpoint_url})
    child.stop(10)
    remove_seaweed_sockets(ports)


@pytest.fixture
def objects(storage_settings: StorageSettings) -> ObjectStore:
    """The session's bucket, emptied."""
    store = ObjectStore(storage_settings)
    store.delete_prefix("")
    return store
