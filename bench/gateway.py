"""Accepted `POST /v1/jobs` a second at 16 clients, beside a bare FastAPI POST of the same body.

The bare one validates the same model and touches nothing else. Both run as processes of their
own under uvicorn, rounds interleaved, on one machine with the load generator and Valkey, which
is on disk before it answers: a disk that stalls shows here.
"""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.line import fsync_milliseconds
from bench.service import UNLIMITED, answers, running_service, start_python
from tessera.local.ports import HOST, free_ports

CLIENTS = 16
ROUNDS = 5
ROUND_SECONDS = 2.0
TARGET = 0.35
MEMORY = Path("/dev/shm")
BODY = {"prompt": "a red apple", "steps": 20, "guidance_scale": 7.5, "seed": 7, "num_images": 1}


async def _client(port: int, deadline: float) -> int:
    """One keep-alive connection that posts until the deadline; how many were accepted."""
    body = json.dumps(BODY).encode()
    request = (
        b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
    )
    reader, writer = await asyncio.open_connection(HOST, port)
    accepted = 0
    while time.perf_counter() < deadline:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 202"), head
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        accepted += 1
    writer.close()
    await writer.wait_closed()
    return accepted


async def _round(port: int) -> float:
    start = time.perf_counter()
    deadline = start + ROUND_SECONDS
    accepted = await asyncio.gather(*(_client(port, deadline) for _ in range(CLIENTS)))
    return sum(accepted) / (time.perf_counter() - start)


@contextmanager
def _servers(directory: Path) -> Iterator[tuple[int, int]]:
    """The gateway's port and the bare application's."""
    bare_port = free_ports(["bare"])["bare"]
    with running_service(directory, {**UNLIMITED, "TESSERA_AUTH": "open"}) as service:
        bare = start_python(directory, "bare", ["bench.bare_post", str(bare_port)], {})
        try:
            bare.wait_until(lambda: answers(bare_port), 30)
            yield service.port, bare_port
        finally:
            bare.stop(10)


def _measure(directory: Path) -> dict[str, Any]:
    """Medians of interleaved rounds, the servers' files in `directory`."""
    rates: dict[str, list[float]] = {"gateway": [], "bare": []}
    with _servers(directory) as ports:
        for port in ports:
            asyncio.run(_round(port))  # warm-up
        for _ in range(ROUNDS):
            for name, port in zip(rates, ports, strict=True):
                rates[name].append(asyncio.run(_round(port)))
    gateway, bare = (statistics.median(rates[name]) for name in rates)
    return {
        "accepted_per_second": round(gateway),
        "bare_per_second": round(bare),
        "ratio": round(gateway / bare, 3),
    }


def run() -> dict[str, Any]:
    """On the disk, where the target counts; and in memory, where the disk does not."""
    results: dict[str, Any] = {"clients": CLIENTS, "target_ratio": TARGET}
    with tempfile.TemporaryDirectory() as name:
        results["disk"] = _measure(Path(name))
        results["disk"]["fsync_ms_p50"] = round(fsync_milliseconds(Path(name)), 3)
    if MEMORY.is_dir():
        with tempfile.TemporaryDirectory(dir=MEMORY) as name:
            results["memory"] = _measure(Path(name))
    return results


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
