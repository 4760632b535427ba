"""The servers that the store can live on, checked by every process before it starts."""

from typing import Any

import redis
from redis.exceptions import NoPermissionError

from shared.connections import RedisPair, store_errors
from shared.errors import ConfigurationError, StoreUnavailable

OLDEST_REDIS = 7  # scripts with flags


def check_servers(pair: RedisPair) -> None:
    """Refuse Redis Cluster, and a Redis that is too old.

    A script's keys belong together, so they cannot be spread over a cluster's slots.

    Raises:
        ConfigurationError: such a server was configured, or one that lets us do nothing.
        StoreUnavailable: a server does not answer.
    """
    for setting, client in (
        ("TESSERA_REDIS_URL", pair.durable),
        ("TESSERA_SCRATCH_URL", pair.scratch),
    ):
        about = _about(client, setting)
        if about.get("redis_mode") == "cluster" or about.get("cluster_enabled"):
            raise ConfigurationError(
                f"{setting}: Redis Cluster cannot keep the jobs; use one server or Sentinel"
            )
        if int(about["redis_version"].split(".")[0]) < OLDEST_REDIS:
            raise ConfigurationError(
                f"{setting}: Redis {OLDEST_REDIS} or Valkey is needed, or newer"
            )


def _about(client: redis.Redis, setting: str) -> dict[str, Any]:
    try:
        with store_errors():
            about: dict[str, Any] = client.info()
    except NoPermissionError as error:
        reason = f"{setting}: the user may not do what this process does"
        raise ConfigurationError(reason) from error
    except StoreUnavailable as error:
        if isinstance(error.__cause__, redis.AuthenticationError):
            reason = f"{setting}: Redis refuses the user or the password"
            raise ConfigurationError(reason) from error
        raise
    return about
