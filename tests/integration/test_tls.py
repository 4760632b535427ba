"""Redis and S3 over TLS, by settings: a private authority is believed where it is named."""

import asyncio
from pathlib import Path

import pytest
import redis.asyncio

from shared.connections import connect, store_errors
from shared.errors import StorageUnavailable, StoreUnavailable
from shared.objects import ObjectStore
from shared.queue import TicketQueue
from shared.request import Priority
from shared.settings import RedisSettings, StorageSettings
from tests.conftest import ValkeyServer
from tests.tls_front import HOST, tls_front


def test_redis_over_tls(valkey: ValkeyServer, redis_settings: RedisSettings, tmp_path: Path):
    authority = tmp_path / "ca.pem"
    with tls_front(valkey.port, authority) as port:
        url = f"rediss://{HOST}:{port}/0"
        settings = RedisSettings(redis_url=f"{url}?ssl_ca_certs={authority}")
        client = connect(settings, name="test").durable
        assert client.ping()
        client.close()
        queue = TicketQueue(settings)
        queue.send("tiny", Priority.NORMAL)
        queue.close()

        async def ping() -> bool:
            async with redis.asyncio.Redis.from_url(settings.redis_url) as events:
                return bool(await events.ping())

        assert asyncio.run(ping())
        stranger = connect(RedisSettings(redis_url=url), name="test").durable
        with pytest.raises(StoreUnavailable), store_errors():
            stranger.ping()


def test_s3_over_tls(storage_settings: StorageSettings, tmp_path: Path):
    assert storage_settings.s3_endpoint_url
    plain = int(storage_settings.s3_endpoint_url.rpartition(":")[2])
    authority = tmp_path / "ca.pem"
    with tls_front(plain, authority) as port:
        over_tls = {"s3_endpoint_url": f"https://{HOST}:{port}"}
        settings = storage_settings.model_copy(update={**over_tls, "s3_ca_file": authority})
        objects = ObjectStore(settings)
        objects.put("tls", b"picture", "image/png")
        assert objects.get("tls") == b"picture"
        with pytest.raises(StorageUnavailable):
            ObjectStore(storage_settings.model_copy(update=over_tls)).check()
