"""Progress to 1,000 connected clients, twice a second each, from one gateway process.

The gateway is a process of its own; clients, the reporting worker and Valkey share the machine
with it. A latency is from before the worker's write until the client's socket had the event.
"""

import asyncio
import json
import os
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from bench.requests import request
from shared.connections import connect
from shared.ids import new_job_id
from shared.job import Progress
from shared.settings import JobSettings, RedisSettings
from shared.store.job_store import JobStore
from shared.store.values import NewJob
from tessera.local.children import start_child
from tessera.local.ports import HOST, free_ports
from tessera.local.servers import start_valkey

CLIENTS = 1000
EVENTS_A_SECOND = 2
SECONDS = 15
POLLS = 200
UNCOUNTED_SECONDS = 3  # while the clients' snapshots are read and caches are filled
SLICES = 20  # workers report for some jobs at a time, spread over the half second
TENANT = "local"
TARGET_P99_MS = 150

_STEP = re.compile(rb'event: progress\r\ndata: \{"step":(\d+)')


class Client(asyncio.Protocol):
    """One connection to one job's events; notes when each step arrived."""

    def __init__(self, job_id: str, connected: asyncio.Semaphore) -> None:
        self._job_id = job_id
        self._connected = connected
        self._rest = b""
        self.arrived: dict[int, float] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        path = f"/v1/jobs/{self._job_id}/events"
        transport.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self._rest += data
        end = 0
        if not self.arrived and b"event: status" in self._rest:
            self._connected.release()
            self.arrived[0] = now
        for match in _STEP.finditer(self._rest):
            self.arrived[int(match[1])] = now
            end = match.end()
        self._rest = self._rest[end:]


class Reports(threading.Thread):
    """A worker's pulse: every job's next step, on its turn in each half second."""

    def __init__(self, store: JobStore, job_ids: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self._store = store
        self._slices = [job_ids[offset::SLICES] for offset in range(SLICES)]
        self.sent: dict[tuple[str, int], float] = {}

    def run(self) -> None:
        began = time.perf_counter()
        for turn in range(SECONDS * EVENTS_A_SECOND * SLICES):
            due = began + turn / (EVENTS_A_SECOND * SLICES)
            time.sleep(max(due - time.perf_counter(), 0))
            step, part = turn // SLICES + 1, self._slices[turn % SLICES]
            progress = Progress(step=step, steps=SECONDS * EVENTS_A_SECOND)
            now = time.perf_counter()
            self.sent |= {(job_id, step): now for job_id in part}
            self._store.report_progress(dict.fromkeys(part, progress))


@contextmanager
def _gateway(directory: Path) -> Iterator[tuple[int, int, RedisSettings]]:
    """A gateway on an empty Valkey: its port and process id, and where Valkey is."""
    ports = free_ports(["valkey", "gateway", "nowhere"])
    settings = RedisSettings(redis_url=f"redis://{HOST}:{ports['valkey']}/0")
    valkey = start_valkey(directory / "valkey", directory / "valkey.log", ports["valkey"])
    own = {
        "AUTH": "open",
        "PORT": ports["gateway"],
        "METRICS_PORT": 0,
        "REDIS_URL": settings.redis_url,
        "S3_ENDPOINT_URL": f"http://{HOST}:{ports['nowhere']}",
        "MAX_STREAMS_PER_TENANT": CLIENTS,
    }
    environment = os.environ | {f"TESSERA_{name}": str(value) for name, value in own.items()}
    command = [sys.executable, "-m", "api"]
    gateway = start_child("gateway", command, directory / "gateway.log", environment)
    gateway.wait_until(lambda: _answers(ports["gateway"]), 30)
    try:
        yield ports["gateway"], gateway.pid, settings
    finally:
        gateway.stop(10)
        valkey.stop(10)


def _answers(port: int) -> bool:
    try:
        return httpx2.get(f"http://{HOST}:{port}/livez", timeout=1).status_code == 200
    except httpx2.TransportError:
        return False


def _processor_seconds(pid: int) -> float:
    """What a process has used since its beginning."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _poll(port: int, job_id: str) -> None:
    """One look at a job: many at once give each of the gateway's threads its connection."""
    reader, writer = await asyncio.open_connection(HOST, port)
    head = f"GET /v1/jobs/{job_id} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode())
    assert (await reader.read()).startswith(b"HTTP/1.1 200")
    writer.close()
    await writer.wait_closed()


async def _watch(
    port: int, pid: int, store: JobStore, job_ids: Sequence[str], redis: Any
) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(_poll(port, job_id) for job_id in job_ids[:POLLS]))
    before = len(redis.client_list())
    connected = asyncio.Semaphore(0)
    clients = []
    for job_id in job_ids:
        client = Client(job_id, connected)
        await loop.create_connection(lambda own=client: own, HOST, port)
        clients.append(client)
    for _ in clients:
        await connected.acquire()
    during = len(redis.client_list())
    reports = Reports(store, job_ids)
    used = _processor_seconds(pid)
    reports.start()
    await asyncio.to_thread(reports.join)
    used = _processor_seconds(pid) - used
    await asyncio.sleep(1)
    for client in clients:
        client.transport.close()

    counted_from = UNCOUNTED_SECONDS * EVENTS_A_SECOND
    waits = [
        (client.arrived[step] - sent) * 1000
        for job_id, client in zip(job_ids, clients, strict=True)
        for step in range(counted_from + 1, SECONDS * EVENTS_A_SECOND + 1)
        if (sent := reports.sent[job_id, step]) and step in client.arrived
    ]
    expected = len(clients) * (SECONDS * EVENTS_A_SECOND - counted_from)
    cuts = statistics.quantiles(waits, n=100)
    return {
        "clients": len(clients),
        "events_per_second": len(clients) * EVENTS_A_SECOND,
        "arrived": len(waits),
        "overtaken": expected - len(waits),  # a newer one came before they were sent
        "latency_ms_p50": round(cuts[49], 1),
        "latency_ms_p99": round(cuts[98], 1),
        "target_latency_ms_p99": TARGET_P99_MS,
        "gateway_cores": round(used / SECONDS, 2),
        "redis_connections_before": before,
        "redis_connections_with_clients": during,
    }


def run() -> dict[str, Any]:
    """One round."""
    with (
        tempfile.TemporaryDirectory() as name,
        _gateway(Path(name)) as (port, pid, settings),
    ):
        redis = connect(settings, name="bench")
        store = JobStore(redis, JobSettings(max_queued_cost_per_tenant=1e9))
        job_ids = [new_job_id() for _ in range(CLIENTS)]
        store.create_many([(NewJob(job_id, TENANT, request()), None) for job_id in job_ids])
        return asyncio.run(_watch(port, pid, store, job_ids, redis.durable))


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
