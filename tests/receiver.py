"""A webhook receiver on loopback that behaves as told, and checks with somebody else's library."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from standardwebhooks import Webhook

BACKLOG = 512


@dataclass(frozen=True)
class Received:
    """One request that came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


Behaviour = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


def answering(status: int, **headers: object) -> Behaviour:
    """Answers at once with that status; `retry_after=1` is the header Retry-After."""
    lines = [f"HTTP/1.1 {status} Told", "Content-Length: 0", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def answer(_received: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        await writer.drain()

    return answer


def at_first(times: int, first: Behaviour, later: Behaviour) -> Behaviour:
    """Behaves as `first` so many times, and then as `later`."""
    left = times

    async def behave(received: Received, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        left -= 1
        await (first if left >= 0 else later)(received, writer)

    return behave


async def hanging(_received: Received, _writer: asyncio.StreamWriter) -> None:
    """Never answers."""
    await asyncio.Event().wait()


async def resetting(_received: Received, writer: asyncio.StreamWriter) -> None:
    """Cuts the connection."""
    writer.transport.abort()


@dataclass
class Receiver:
    """`behaviour` may be replaced at any time; `received` grows."""

    behaviour: Behaviour
    urls: list[str] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    _verified: dict[str, int] = field(default_factory=dict)  # how many of those that came
    _serving: set[asyncio.Task[None] | None] = field(default_factory=set)  # the loop's are weak

    @property
    def url(self) -> str:
        return self.urls[0]

    def verified(self, secret: str) -> list[Received]:
        """All that came, each checked once; WebhookVerificationError for a wrong signature."""
        for one in self.received[self._verified.get(secret, 0) :]:
            Webhook(secret).verify(one.body, one.headers)
            self._verified[secret] = self._verified.get(secret, 0) + 1
        return self.received

    def bodies(self) -> dict[str, set[bytes]]:
        """The bodies that came under each id."""
        found: dict[str, set[bytes]] = {}
        for one in self.received:
            found.setdefault(one.id, set()).add(one.body)
        return found

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.add(asyncio.current_task())
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            pairs = (line.split(": ", 1) for line in head[1:] if line)
            headers = {name.lower(): value for name, value in pairs}
            body = await reader.readexactly(int(headers["content-length"]))
            received = Received(head[0].split()[1], headers, body)
            self.received.append(received)
            await self.behaviour(received, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the sender has gone, as it may, or the test is over
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            self._serving.discard(asyncio.current_task())


@contextmanager
def receiving(behaviour: Behaviour | None = None, ports: int = 1) -> Iterator[Receiver]:
    """A receiver that listens until the block ends, on so many ports."""
    receiver = Receiver(behaviour or answering(200))
    ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def listen() -> None:
        servers = [
            await asyncio.start_server(receiver.serve, "127.0.0.1", 0, backlog=BACKLOG)
            for _ in range(ports)
        ]
        for server in servers:
            host, port = server.sockets[0].getsockname()
            receiver.urls.append(f"http://{host}:{port}")
        ready.set()
        await stop.wait()
        for server in servers:
            server.close()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(listen())

    thread = threading.Thread(target=run, name="receiver")
    thread.start()
    ready.wait()
    try:
        yield receiver
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
