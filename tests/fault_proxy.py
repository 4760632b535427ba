"""A TCP proxy on loopback that delays, swallows or cuts what passes through it."""

import random
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK_BYTES = 64 * 1024
# Closing with this sends a reset, not an orderly end.
RESET = struct.pack("ii", 1, 0)


class FaultProxy:
    """Passes everything on to a port of this machine, until it is told otherwise.

    `latency_seconds`: each piece of an answer is held back for up to so long.
    `cut`: how many connections it has cut on request.
    """

    def __init__(self, upstream_port: int) -> None:
        self._upstream = ("127.0.0.1", upstream_port)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.latency_seconds = 0.0
        self.cut = 0
        self._answering = threading.Event()
        self._answering.set()
        self._replies: list[bytes] = []
        self._requests: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_reply_to(self, needle: bytes) -> None:
        """The next request that holds these bytes is served, but its answer never arrives."""
        self._replies.append(needle)

    def cut_request(self, needle: bytes) -> None:
        """The connection of the next request that holds these bytes ends in the middle of it."""
        self._requests.append(needle)

    @contextmanager
    def black_hole(self) -> Iterator[None]:
        """Connections stay open and are accepted; nothing is answered meanwhile."""
        self._answering.clear()
        try:
            yield
        finally:
            self._answering.set()

    def close(self) -> None:
        """Accept nobody any more."""
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._upstream)
        except OSError:
            client.close()
            return
        doomed = threading.Event()  # its next answer is lost
        back = threading.Thread(target=self._answer, args=(server, client, doomed), daemon=True)
        back.start()
        with suppress(OSError):
            while chunk := client.recv(CHUNK_BYTES):
                if _take(self._requests, chunk):
                    server.sendall(chunk[: len(chunk) // 2])
                    self._reset(client, server)
                    return
                if _take(self._replies, chunk):
                    doomed.set()
                server.sendall(chunk)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _answer(
        self, server: socket.socket, client: socket.socket, doomed: threading.Event
    ) -> None:
        with suppress(OSError):
            while chunk := server.recv(CHUNK_BYTES):
                self._answering.wait()
                if doomed.is_set():
                    self._reset(client, server)
                    return
                if self.latency_seconds:
                    threading.Event().wait(random.uniform(0.5, 1.0) * self.latency_seconds)
                client.sendall(chunk)
        client.close()
        server.close()

    def _reset(self, *ends: socket.socket) -> None:
        self.cut += 1
        for end in ends:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            end.shutdown(socket.SHUT_RD)  # wakes who reads from it
            end.close()


def _take(needles: list[bytes], chunk: bytes) -> bool:
    """Whether the chunk holds one of them; each is taken once."""
    for needle in needles:
        if needle in chunk:
            needles.remove(needle)
            return True
    return False
