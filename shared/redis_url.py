"""Clients from an address: of a server, or of the Sentinels that know which server is the master.

`redis+sentinel://USER:PASSWORD@HOST:26379,HOST:26379/SERVICE/DB?OPTIONS`: user and password are the
server's; `sentinel_password` among the options is the Sentinels'. `rediss+sentinel` is TLS to both.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.connection import parse_url
from redis.sentinel import Sentinel

from shared.errors import ConfigurationError

SENTINELS = re.compile(
    r"(?P<scheme>rediss?)\+sentinel://(?P<who>[^/]*@)?(?P<hosts>[^@/]+)/(?P<service>[^/?]+)"
    r"(?P<rest>(/\d+)?(\?.*)?)"
)
SENTINEL_PORT = 26379


def open_client(url: str, **options: Any) -> redis.Redis:
    """A client that dials with its first command. Behind Sentinels it follows the master.

    Raises:
        ConfigurationError: an option in the address is none.
    """
    try:
        if not SENTINELS.fullmatch(url):
            return redis.Redis.from_url(url, **options)
        hosts, service, own, sentinels = _sentinels(url, options)
    except ValueError as error:
        raise ConfigurationError("TESSERA_REDIS_URL or _SCRATCH_URL: a wrong option") from error
    known = Sentinel(hosts, 0, sentinels, **own)  # type: ignore[no-untyped-call]
    client: redis.Redis = known.master_for(service)  # type: ignore[no-untyped-call]
    return client


@asynccontextmanager
async def async_client(url: str, **options: Any) -> AsyncIterator[redis.asyncio.Redis]:
    """The same for an event loop, closed at the block's end."""
    if not SENTINELS.fullmatch(url):
        async with redis.asyncio.Redis.from_url(url, **options) as client:
            yield client
        return
    hosts, service, own, sentinels = _sentinels(url, options)
    known = AsyncSentinel(hosts, 0, sentinels, **own)  # type: ignore[no-untyped-call]
    try:
        async with known.master_for(service) as client:
            yield client
    finally:
        for sentinel in known.sentinels:
            await sentinel.aclose()


def _sentinels(
    url: str, options: dict[str, Any]
) -> tuple[list[tuple[str, int]], str, dict[str, Any], dict[str, Any]]:
    """Where they are, the service's name, options for its server, and those for themselves."""
    parts = SENTINELS.fullmatch(url)
    assert parts is not None
    hosts = [_host(one) for one in parts["hosts"].split(",")]
    server = f"{parts['scheme']}://{parts['who'] or ''}{parts['rest']}"
    own = {**parse_url(server), **options}  # type: ignore[no-untyped-call]
    if own.pop("connection_class", None) is not None:
        own["ssl"] = True  # the pool has connections of its own kind
    password = own.pop("sentinel_password", None)
    # The subscription may be quiet for hours; a Sentinel answers or is passed by.
    timeouts = {"socket_timeout": 2.0, "socket_connect_timeout": 2.0}
    encrypted = {name: value for name, value in own.items() if name.startswith("ssl")}
    return hosts, parts["service"], own, {**timeouts, **encrypted, "password": password}


def _host(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":") if re.search(r":\d+$", text) else (text, "", "")
    return host.strip("[]"), int(port or SENTINEL_PORT)
