"""Outbound requests: each name resolved once, every address checked, the checked one dialled.

Nothing here reads proxies from the environment, keeps a connection, stores a cookie, inflates a
body or follows a redirect unchecked.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urljoin

import httpcore2

from shared.errors import OutboundFailed, OutboundRefused
from shared.outbound.addresses import OpenRange, may_dial
from shared.outbound.resolver import Resolve, SystemResolver
from shared.outbound.settings import OutboundSettings
from shared.outbound.target import Target, parse_target

RESOLVE_SECONDS = 5.0
CONNECT_SECONDS = 5.0
MAX_REDIRECTS = 3
REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class Fetched:
    """What lies behind a link. `content_type` as the other side calls it."""

    content_type: str
    data: bytes


@dataclass(frozen=True)
class Answer:
    """The head of an answer; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]


class Outbound:
    """Safe to share between event loops and threads; nothing is open between two calls."""

    def __init__(
        self,
        settings: OutboundSettings,
        *,
        resolve: Resolve | None = None,
        network: httpcore2.AsyncNetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`network` dials numeric addresses alone; `tls` says whose certificates are good."""
        self._opened: tuple[OpenRange, ...] = settings.outbound_allow
        self._resolve = resolve or SystemResolver()
        self._network = network or httpcore2.AnyIOBackend()
        self._tls = tls or httpcore2.default_ssl_context()

    async def check(self, url: str) -> None:
        """Return if a request to this URL would be made; nothing is dialled.

        Raises:
            OutboundRefused: it would not.
        """
        await self._addresses(parse_target(url))

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, *, seconds: float
    ) -> Answer:
        """Send `body` and return the head of the answer, whatever its status; its body is not read.

        Raises:
            OutboundRefused: the target may not be dialled.
            OutboundFailed: no answer within `seconds`.
        """
        async with _limit(seconds), self._exchange("POST", parse_target(url), headers, body) as got:
            return _head(got)

    async def fetch(self, url: str, *, max_bytes: int, seconds: float) -> Fetched:
        """What the URL leads to, over at most three redirects, each checked like the first.

        Raises:
            OutboundRefused: some target may not be dialled.
            OutboundFailed: no 200 answer, a compressed one, one over `max_bytes`, or too slow.
        """
        headers = {"accept": "image/*", "accept-encoding": "identity"}
        async with _limit(seconds):
            for _ in range(MAX_REDIRECTS + 1):
                async with self._exchange("GET", parse_target(url), headers, b"") as response:
                    head = _head(response)
                    if head.status not in REDIRECTS:
                        data = await _read(head, response, max_bytes)
                        return Fetched(head.headers.get("content-type", ""), data)
                url = urljoin(url, head.headers.get("location", ""))
        raise OutboundFailed

    async def _addresses(self, target: Target) -> tuple[str, ...]:
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                found = await self._resolve(target.host, target.port)
        except (OSError, UnicodeError) as error:
            raise OutboundRefused from error
        # Every address: with a mixed answer the other side would choose.
        good = [
            may_dial(address, target.port, encrypted=target.encrypted, opened=self._opened)
            for address in found
        ]
        if not found or not all(good):
            raise OutboundRefused
        return found

    @asynccontextmanager
    async def _exchange(
        self, method: str, target: Target, headers: Mapping[str, str], body: bytes
    ) -> AsyncIterator[httpcore2.Response]:
        pinned = _PinnedNetwork(self._network, await self._addresses(target))
        # Parts, not a text that would be parsed again.
        url = httpcore2.URL(
            scheme=target.scheme, host=target.host, port=target.port, target=target.path
        )
        lines = {"host": target.authority, "user-agent": "Tessera", **headers}
        try:
            async with (
                httpcore2.AsyncConnectionPool(
                    ssl_context=self._tls, max_keepalive_connections=0, network_backend=pinned
                ) as pool,
                pool.stream(
                    method, url, headers=list(lines.items()), content=body or None
                ) as response,
            ):
                yield response
        except _FAILURES as error:
            raise OutboundFailed from error


_FAILURES = (
    httpcore2.NetworkError,
    httpcore2.TimeoutException,
    httpcore2.ProtocolError,
    OSError,  # ssl.SSLError is one
)


class _PinnedNetwork(httpcore2.AsyncNetworkBackend):
    """Dials the checked addresses, whatever the name leads to by now."""

    def __init__(self, network: httpcore2.AsyncNetworkBackend, addresses: tuple[str, ...]) -> None:
        self._network = network
        self._addresses = addresses

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        *others, last = self._addresses
        for address in others:
            try:
                return await self._network.connect_tcp(
                    address, port, CONNECT_SECONDS, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._network.connect_tcp(
            last, port, CONNECT_SECONDS, local_address, socket_options
        )


@asynccontextmanager
async def _limit(seconds: float) -> AsyncIterator[None]:
    """The time of the whole exchange: a drop a second gets nobody further."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise OutboundFailed from error


def _head(response: httpcore2.Response) -> Answer:
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
    }
    return Answer(response.status, headers)


async def _read(head: Answer, response: httpcore2.Response, max_bytes: int) -> bytes:
    declared = head.headers.get("content-length", "0")
    encoding = head.headers.get("content-encoding", "identity")
    too_long = declared.isdecimal() and int(declared[:20]) > max_bytes
    if head.status != 200 or encoding != "identity" or too_long:
        raise OutboundFailed
    data = bytearray()
    async for chunk in response.aiter_stream():
        data += chunk
        if len(data) > max_bytes:
            raise OutboundFailed
    return bytes(data)
