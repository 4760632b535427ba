"""The servers that the store can live on, and those that it refuses."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.connections import RedisPair, connect
from shared.errors import ConfigurationError, StoreUnavailable
from shared.settings import RedisSettings
from shared.store.server import check_servers
from tessera.local.children import start_child
from tessera.local.ports import free_ports
from tessera.local.servers import _valkey_answers, valkey_binary


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RedisSettings]:
    """One node of a Valkey cluster."""
    port = free_ports(["valkey"])["valkey"]
    command = [str(valkey_binary()), "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    command += ["--cluster-enabled", "yes", "--dir", str(tmp_path)]
    child = start_child("cluster", command, tmp_path / "log", dict(os.environ))
    child.wait_until(lambda: _valkey_answers(port), 10)
    yield RedisSettings(redis_url=f"redis://127.0.0.1:{port}/0")
    child.stop(5)


def test_one_plain_server_is_good(redis_pair: RedisPair) -> None:
    check_servers(redis_pair)


def test_a_cluster_is_refused(cluster: RedisSettings) -> None:
    with pytest.raises(ConfigurationError, match="Cluster"):
        check_servers(connect(cluster, name="test"))


def test_a_server_that_is_not_there_is_told_as_such() -> None:
    port = free_ports(["valkey"])["valkey"]
    nobody = RedisSettings(redis_url=f"redis://127.0.0.1:{port}/0")
    with pytest.raises(StoreUnavailable):
        check_servers(connect(nobody, name="test"))
