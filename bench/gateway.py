"""Accepted `POST /v1/jobs` a second at 16 clients, beside a bare FastAPI POST of the same body.

The bare one validates the same model and touches nothing else. Both run as processes of their
own under uvicorn, set alike, rounds interleaved, on one machine with the load generator and
Valkey, which is on disk before it answers: a disk that stalls shows here. Beside the rates stands
what each process used of a processor for a request, which depends less on what else runs.
`python -m bench.gateway` adds the same with all files in memory, where no disk counts.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.figures import ratios, summary
from bench.line import fsync_milliseconds
from bench.service import (
    UNLIMITED,
    answers,
    processor_seconds,
    running_service,
    start_python,
)
from tessera.local.ports import HOST, free_ports

CLIENTS = 16
ROUNDS = 5
ROUND_SECONDS = 2.0
MEMORY = Path("/dev/shm")
BODY = {"prompt": "a red apple", "steps": 20, "guidance_scale": 7.5, "seed": 7, "num_images": 1}


@dataclass(frozen=True)
class Target:
    """What is posted to, and what came of each round: accepted a second, microseconds each."""

    port: int
    pid: int
    path: str = "/v1/jobs"
    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)

    async def round(self, *, counts: bool = True) -> None:
        """Clients that post for some time."""
        used, start = processor_seconds(self.pid), time.perf_counter()
        clients = (self._client(start + ROUND_SECONDS) for _ in range(CLIENTS))
        accepted = sum(await asyncio.gather(*clients))
        if counts:
            self.rates.append(accepted / (time.perf_counter() - start))
            self.costs.append((processor_seconds(self.pid) - used) / accepted * 1e6)

    async def _client(self, deadline: float) -> int:
        """One keep-alive connection that posts until the deadline; how many were accepted."""
        body = json.dumps(BODY).encode()
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        request = head.encode() + body
        reader, writer = await asyncio.open_connection(HOST, self.port)
        accepted = 0
        while time.perf_counter() < deadline:
            writer.write(request)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 202"), answer
            length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            accepted += 1
        writer.close()
        await writer.wait_closed()
        return accepted


@contextmanager
def _targets(directory: Path) -> Iterator[tuple[Target, Target, Target]]:
    """The gateway, the bare application, and its endpoint that is a coroutine."""
    bare_port = free_ports(["bare"])["bare"]
    with running_service(directory, {**UNLIMITED, "TESSERA_AUTH": "open"}) as service:
        bare = start_python(directory, "bare", ["bench.bare_post", str(bare_port)], {})
        try:
            bare.wait_until(lambda: answers(bare_port), 30)
            yield (
                Target(service.port, service.pid),
                Target(bare_port, bare.pid),
                Target(bare_port, bare.pid, "/v1/jobs/coroutine"),
            )
        finally:
            bare.stop(10)


def _measure(directory: Path) -> dict[str, Any]:
    """Interleaved rounds, the servers' files in `directory`."""
    with _targets(directory) as targets:
        for target in targets:
            asyncio.run(target.round(counts=False))  # warm-up
        for _ in range(ROUNDS):
            for target in targets:
                asyncio.run(target.round())
    gateway, bare, coroutine = targets
    return {
        "accepted_per_second": summary(gateway.rates, 0),
        "bare_per_second": summary(bare.rates, 0),
        "bare_coroutine_per_second": summary(coroutine.rates, 0),
        "ratio": ratios(gateway.rates, bare.rates),
        "ratio_to_coroutine": ratios(gateway.rates, coroutine.rates),
        "processor_us": summary(gateway.costs, 0),
        "bare_processor_us": summary(bare.costs, 0),
        "processor_ratio": ratios(bare.costs, gateway.costs),
    }


def run() -> dict[str, Any]:
    """On the disk, where the target counts."""
    with tempfile.TemporaryDirectory() as name:
        disk = _measure(Path(name))
        disk["fsync_ms_p50"] = round(fsync_milliseconds(Path(name)), 3)
    return {"clients": CLIENTS, "disk": disk}


def run_in_memory() -> dict[str, Any]:
    """The same without a disk."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        return {"memory": _measure(Path(name))}


if __name__ == "__main__":
    print(json.dumps({**run(), **run_in_memory()}, indent=2))
