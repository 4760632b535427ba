"""The servers that the store can live on, checked by every process before it starts."""

from typing import Any

from shared.connections import RedisPair, store_errors
from shared.errors import ConfigurationError

OLDEST_REDIS = 7  # scripts with flags


def check_servers(redis: RedisPair) -> None:
    """Refuse Redis Cluster, and a Redis that is too old.

    A script's keys belong together, so they cannot be spread over a cluster's slots.

    Raises:
        ConfigurationError: such a server was configured.
        StoreUnavailable: a server does not answer.
    """
    for client in (redis.durable, redis.scratch):
        with store_errors():
            about: dict[str, Any] = client.info()
        if about.get("redis_mode") == "cluster" or about.get("cluster_enabled"):
            raise ConfigurationError(
                "Redis Cluster cannot keep the jobs; use one server or Sentinel"
            )
        if int(about["redis_version"].split(".")[0]) < OLDEST_REDIS:
            raise ConfigurationError(f"Redis {OLDEST_REDIS} or Valkey is needed, or newer")
