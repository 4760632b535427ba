"""Connections to Redis with short timeouts, and the one place where its errors become ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

from shared.errors import StoreUnavailable
from shared.redis_url import open_client
from shared.settings import RedisSettings

RETRIES = 3


@dataclass(frozen=True)
class RedisPair:
    """The durable server, and the scratch server for what may be lost."""

    durable: redis.Redis
    scratch: redis.Redis


def connect(settings: RedisSettings, *, name: str) -> RedisPair:
    """Clients for both servers; nothing is dialled before the first command.

    `name` is the process' name in `CLIENT LIST`.
    """
    durable = _client(settings.redis_url, settings, name)
    scratch_url = settings.scratch_url
    scratch = _client(scratch_url, settings, name) if scratch_url else durable
    return RedisPair(durable, scratch)


def _client(url: str, settings: RedisSettings, name: str) -> redis.Redis:
    return open_client(
        url,
        decode_responses=True,
        client_name=name,
        socket_timeout=settings.redis_timeout_seconds,
        socket_connect_timeout=settings.redis_timeout_seconds,
        health_check_interval=30,
        retry=short_retry(),
    )


def short_retry() -> Retry:
    """Less patient than redis-py's own: who waits out an outage does so with a pause of its own."""
    return Retry(ExponentialWithJitterBackoff(base=0.01, cap=0.2), RETRIES)


@contextmanager
def store_errors() -> Iterator[None]:
    """Translate Redis' failures at the seam.

    Raises:
        StoreUnavailable: no answer, a server that is loading or read-only, or one without memory.
    """
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise StoreUnavailable("the job store does not answer") from error
    except redis.ResponseError as error:
        # redis-py moves the code of an error that it knows out of the text.
        code = error.status_code or str(error).partition(" ")[0]
        if code in ("OOM", "READONLY", "LOADING", "MISCONF", "MASTERDOWN"):
            raise StoreUnavailable("the job store takes no writes now") from error
        raise
