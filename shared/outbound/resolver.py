"""Names to addresses, off the event loop, with a limit on how long."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

Resolve = Callable[[str, int], Awaitable[tuple[str, ...]]]
"""From a host and a port to all its numeric addresses. Raises OSError where there is none."""

THREADS = 32


class SystemResolver:
    """The system's resolver on threads of its own: a name server that hangs delays nobody else."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="resolver")

    async def __call__(self, host: str, port: int) -> tuple[str, ...]:
        """All addresses of the name, in the order of preference."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _addresses, host, port)
        return tuple(dict.fromkeys(found))


def _addresses(host: str, port: int) -> list[str]:
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in answers]
