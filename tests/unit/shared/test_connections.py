"""Redis' failures become ours, each kind."""

from collections.abc import Iterator

import pytest
import redis

from shared.connections import RedisPair, connect, store_errors
from shared.errors import StoreUnavailable
from shared.settings import RedisSettings
from tessera.local.ports import free_ports


@pytest.fixture
def restored(redis_pair: RedisPair) -> Iterator[redis.Redis]:
    """A server that a test may spoil."""
    client = redis_pair.durable
    yield client
    client.config_set("maxmemory", 0)
    client.replicaof("NO", "ONE")


def nobodys_port() -> int:
    return free_ports(["nobody"])["nobody"]


def test_a_full_server(restored: redis.Redis) -> None:
    restored.config_set("maxmemory", 1)
    with pytest.raises(StoreUnavailable), store_errors():
        restored.set("tessera:x", 1)


def test_a_replica(restored: redis.Redis) -> None:
    restored.replicaof("127.0.0.1", str(nobodys_port()))
    with pytest.raises(StoreUnavailable), store_errors():
        restored.set("tessera:x", 1)


def test_a_server_that_cannot_write_its_file() -> None:
    with pytest.raises(StoreUnavailable), store_errors():
        raise redis.ResponseError("MISCONF Errors writing to the AOF file: No space left on device")


def test_no_server() -> None:
    pair = connect(RedisSettings(redis_url=f"redis://127.0.0.1:{nobodys_port()}/0"), name="test")
    with pytest.raises(StoreUnavailable), store_errors():
        pair.durable.ping()


def test_a_defect_of_ours_stays_one(redis_pair: RedisPair) -> None:
    with pytest.raises(redis.ResponseError), store_errors():
        redis_pair.durable.execute_command("SET", "tessera:x")


def test_scratch_is_the_durable_server_unless_named(redis_settings: RedisSettings) -> None:
    pair = connect(redis_settings, name="test")
    assert pair.scratch is pair.durable
    url = redis_settings.redis_url.removesuffix("0") + "1"
    other = connect(redis_settings.model_copy(update={"scratch_url": url}), name="test")
    assert other.scratch is not other.durable
