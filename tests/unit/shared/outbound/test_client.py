"""Requests to chosen addresses: what is dialled, what is read, and where it ends."""

import asyncio
import gzip
import ssl
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager

import httpcore2
import pytest
import trustme

from shared.errors import OutboundFailed, OutboundRefused
from shared.outbound.client import Outbound
from shared.outbound.settings import OutboundSettings
from tests.hostile_urls import HOSTILE

OPEN = OutboundSettings(outbound_allow="127.0.0.0/8:*")
OK = b"HTTP/1.1 200 OK\r\n"
PICTURE = OK + b"content-type: image/png\r\ncontent-length: 5\r\n\r\nbytes"

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Names:
    """A resolver with a book of its own, which counts."""

    def __init__(self, **book: str | list[str]) -> None:
        self.book = {name.replace("_", "."): entry for name, entry in book.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, _port: int) -> tuple[str, ...]:
        self.asked.append(host)
        if host not in self.book:
            raise OSError("no such name")
        return tuple(self.book[host].split())


class RecordingNetwork(httpcore2.AnyIOBackend):
    """Dials, and remembers whom."""

    def __init__(self) -> None:
        self.dialled: list[str] = []

    async def connect_tcp(self, host, port, *others):
        self.dialled.append(host)
        return await super().connect_tcp(host, port, *others)


@asynccontextmanager
async def serving(script: Script | bytes, tls: ssl.SSLContext | None = None):
    """A server on loopback: (port, what each connection sent first)."""
    heard: list[bytes] = []

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            if isinstance(script, bytes):
                writer.write(script)
                await writer.drain()
            else:
                await script(reader, writer)
        except OSError:
            pass  # the client has gone, as it may
        finally:
            writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1], heard


def fetch(outbound: Outbound, url: str, max_bytes: int = 1000, seconds: float = 10):
    return outbound.fetch(url, max_bytes=max_bytes, seconds=seconds)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_addresses_are_never_dialled(hostile):
    async def scenario():
        async with serving(PICTURE) as (port, heard):
            url = hostile.replace("{port}", str(port))
            network = RecordingNetwork()
            outbound = Outbound(OutboundSettings(), network=network)
            said = set()
            for attempt in (
                lambda: outbound.check(url),
                lambda: fetch(outbound, url),
                lambda: outbound.post(url, {}, b"{}", seconds=10),
            ):
                with pytest.raises(OutboundRefused) as refusal:
                    await attempt()
                said.add((refusal.value.code, refusal.value.detail))
            assert len(said) == 1
            assert network.dialled == []
            assert heard == []

    asyncio.run(scenario())


@pytest.mark.parametrize("answer", ["127.0.0.1", "93.184.216.34 127.0.0.1", "::ffff:127.0.0.1", ""])
def test_every_address_of_a_name_must_be_public(answer):
    network = RecordingNetwork()
    outbound = Outbound(OutboundSettings(), resolve=Names(a_test=answer), network=network)
    with pytest.raises(OutboundRefused):
        asyncio.run(fetch(outbound, "https://a.test/"))
    assert network.dialled == []


def test_unknown_names_and_private_ones_look_the_same():
    outbound = Outbound(OutboundSettings(), resolve=Names(inside_test="10.0.0.1"))
    details = []
    for url in ("https://inside.test/", "https://nowhere.test/"):
        with pytest.raises(OutboundRefused) as refusal:
            asyncio.run(outbound.check(url))
        details.append((refusal.value.code, refusal.value.detail))
    assert len(set(details)) == 1


def test_a_name_is_resolved_once_and_dialled_by_number():
    async def scenario():
        async with serving(PICTURE) as (port, heard):
            names, network = Names(a_test="127.0.0.9 127.0.0.1"), RecordingNetwork()
            outbound = Outbound(OPEN, resolve=names, network=network)
            fetched = await fetch(outbound, f"http://a.test:{port}/x?y=1")
            assert (fetched.content_type, fetched.data) == ("image/png", b"bytes")
            assert names.asked == ["a.test"]
            assert network.dialled == ["127.0.0.9", "127.0.0.1"]
            lines = heard[0].lower().split(b"\r\n")
            assert lines[0] == b"get /x?y=1 http/1.1"
            assert f"host: a.test:{port}".encode() in lines
            assert b"accept-encoding: identity" in lines

    asyncio.run(scenario())


def test_tls_speaks_to_the_name_not_the_number():
    authority = trustme.CA()
    server_tls, client_tls = (
        ssl.SSLContext(kind) for kind in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT)
    )
    authority.issue_cert("a.test").configure_cert(server_tls)
    authority.configure_trust(client_tls)
    asked = []
    server_tls.sni_callback = lambda _socket, name, _context: asked.append(name)

    async def scenario():
        async with serving(PICTURE, server_tls) as (port, _):
            names = Names(a_test="127.0.0.1", b_test="127.0.0.1")
            outbound = Outbound(OPEN, resolve=names, tls=client_tls)
            answer = await outbound.post(f"https://a.test:{port}/", {}, b"{}", seconds=10)
            assert answer.status == 200
            with pytest.raises(OutboundFailed):  # another name's certificate
                await outbound.post(f"https://b.test:{port}/", {}, b"{}", seconds=10)

    asyncio.run(scenario())
    assert asked == ["a.test", "b.test"]


def test_a_post_sends_the_exact_body_and_follows_nothing():
    bodies = []

    async def script(reader, writer):
        bodies.append(await reader.readexactly(7))
        writer.write(
            b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\nretry-after: 9\r\n\r\n"
        )
        await writer.drain()

    async def scenario():
        async with serving(script) as (port, heard):
            network = RecordingNetwork()
            outbound = Outbound(OPEN, network=network)
            answer = await outbound.post(
                f"http://127.0.0.1:{port}/", {"x-own": "1"}, b'{"a":1}', seconds=10
            )
            assert answer.status == 302
            assert answer.headers["retry-after"] == "9"
            assert b"x-own: 1" in heard[0]
            assert b"content-length: 7" in heard[0].lower()
            assert len(network.dialled) == 1

    asyncio.run(scenario())
    assert bodies == [b'{"a":1}']


def test_redirects_are_checked_one_by_one():
    def redirect(location: str) -> bytes:
        return f"HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n".encode()

    async def scenario():
        network = RecordingNetwork()
        outbound = Outbound(OPEN, network=network)
        async with (
            serving(PICTURE) as (last, _),
            serving(redirect(f"//127.0.0.1:{last}/")) as (first, _),
        ):
            assert (await fetch(outbound, f"http://127.0.0.1:{first}/")).data == b"bytes"
        for location in ("http://10.0.0.1/", "file:///etc/passwd", "http://[::1]/"):
            network.dialled.clear()
            async with serving(redirect(location)) as (port, _):
                with pytest.raises(OutboundRefused):
                    await fetch(outbound, f"http://127.0.0.1:{port}/")
            assert network.dialled == ["127.0.0.1"]
        async with serving(redirect("/again")) as (port, heard):
            with pytest.raises(OutboundFailed):
                await fetch(outbound, f"http://127.0.0.1:{port}/")
            assert len(heard) == 4

    asyncio.run(scenario())


async def _endless(_reader, writer):
    writer.write(OK + b"\r\n")
    while True:
        writer.write(b"x" * 1000)
        await writer.drain()


async def _drip(_reader, writer):
    writer.write(OK + b"\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def _silence(reader, _writer):
    await reader.read()


async def _reset(_reader, writer):
    writer.transport.abort()


@pytest.mark.parametrize(
    "script",
    [
        OK + b"content-length: 1000000000\r\n\r\n",
        OK + b"content-length: 10\r\n\r\nshort",
        OK + b"content-encoding: gzip\r\n\r\n" + gzip.compress(b"bytes", mtime=0),
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        _endless,
        _drip,
        _silence,
        _reset,
    ],
)
def test_what_is_no_picture_in_time_fails_alike(script):
    async def scenario():
        async with serving(script) as (port, _):
            with pytest.raises(OutboundFailed) as failure:
                await fetch(Outbound(OPEN), f"http://127.0.0.1:{port}/", seconds=0.5)
            return failure.value.detail

    assert "did not answer" in asyncio.run(scenario())


def test_proxies_of_the_environment_are_not_used(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async def scenario():
        async with serving(PICTURE) as (port, _):
            return await fetch(Outbound(OPEN), f"http://127.0.0.1:{port}/")

    assert asyncio.run(scenario()).data == b"bytes"
