"""Progress to 1,000 connected clients, twice a second each, from one process; by two ways.

Ours is the gateway with one Redis subscription for all; beside it one that gives each client a
subscription of its own. Clients, the reporting worker and Valkey share the machine with the
process. A latency is from before the worker's write until the client's socket had the event.
"""

import asyncio
import json
import re
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figures import summary
from bench.requests import request
from bench.service import answers, processor_seconds, start_python
from shared.connections import connect
from shared.ids import new_job_id
from shared.job import Progress
from shared.settings import JobSettings, RedisSettings
from shared.store.job_store import JobStore
from shared.store.values import NewJob
from tessera.local.ports import HOST, free_ports
from tessera.local.servers import start_valkey

CLIENTS = 1000
EVENTS_A_SECOND = 2
ROUNDS = 5
SECONDS = 3
STEPS = SECONDS * EVENTS_A_SECOND  # that a job makes in a round
POLLS = 200
UNCOUNTED_STEPS = 2  # while the clients' snapshots are read and caches are filled
LAST_EVENTS_SECONDS = 30  # for the last step to reach everybody
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

    def __init__(self, store: JobStore, job_ids: Sequence[str], first_step: int) -> None:
        super().__init__(daemon=True)
        self._store = store
        self._first_step = first_step
        self._slices = [job_ids[offset::SLICES] for offset in range(SLICES)]
        self.sent: dict[tuple[str, int], float] = {}

    def run(self) -> None:
        began = time.perf_counter()
        for turn in range(STEPS * SLICES):
            due = began + turn / (EVENTS_A_SECOND * SLICES)
            time.sleep(max(due - time.perf_counter(), 0))
            step, part = self._first_step + turn // SLICES, self._slices[turn % SLICES]
            progress = Progress(step=step, steps=ROUNDS * STEPS)
            now = time.perf_counter()
            self.sent |= {(job_id, step): now for job_id in part}
            self._store.report_progress(dict.fromkeys(part, progress))


@dataclass(frozen=True)
class Side:
    """One way to serve events: its process, and the store that it serves from."""

    port: int
    pid: int
    redis: Any
    store: JobStore
    job_ids: Sequence[str]


@contextmanager
def _side(directory: Path, name: str) -> Iterator[Side]:
    """Our gateway, or the one called "pubsub", on a Valkey of its own with all jobs in it."""
    directory.mkdir()
    ports = free_ports(["valkey", "gateway", "nowhere"])
    settings = RedisSettings(redis_url=f"redis://{HOST}:{ports['valkey']}/0")
    valkey = start_valkey(directory / "valkey", directory / "valkey.log", ports["valkey"])
    own = {
        "AUTH": "open",
        "PORT": ports["gateway"],
        "METRICS_PORT": 0,
        "REDIS_URL": settings.redis_url,
        "S3_ENDPOINT_URL": f"http://{HOST}:{ports['nowhere']}",
        "S3_ACCESS_KEY_ID": "nobody",
        "S3_SECRET_ACCESS_KEY": "nothing",
        "MAX_STREAMS_PER_TENANT": CLIENTS,
    }
    environment = {f"TESSERA_{key}": str(value) for key, value in own.items()}
    module = ["api"]
    if name == "pubsub":
        module = ["bench.pubsub_gateway", str(ports["gateway"]), settings.redis_url]
    gateway = start_python(directory, "gateway", module, environment)
    try:
        gateway.wait_until(lambda: answers(ports["gateway"]), 60)
        redis = connect(settings, name="bench")
        store = JobStore(redis, JobSettings(max_queued_cost_per_tenant=1e9))
        job_ids = [new_job_id() for _ in range(CLIENTS)]
        store.create_many([(NewJob(job_id, TENANT, request()), None) for job_id in job_ids])
        yield Side(ports["gateway"], gateway.pid, redis.durable, store, job_ids)
    finally:
        gateway.stop(10)
        valkey.stop(10)


def _resident_mib(pid: int) -> float:
    """The memory that a process has."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1024


async def _poll(port: int, job_id: str) -> None:
    """One look at a job: many at once give each of the gateway's threads its connection."""
    reader, writer = await asyncio.open_connection(HOST, port)
    head = f"GET /v1/jobs/{job_id} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode())
    await reader.read()
    writer.close()
    await writer.wait_closed()


async def _round(side: Side, first_step: int) -> dict[str, float]:
    """Clients come, watch and go."""
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(_poll(side.port, job_id) for job_id in side.job_ids[:POLLS]))
    connections = len(side.redis.client_list())
    connected = asyncio.Semaphore(0)
    clients = []
    for job_id in side.job_ids:
        client = Client(job_id, connected)
        await loop.create_connection(lambda own=client: own, HOST, side.port)
        clients.append(client)
    for _ in clients:
        await connected.acquire()
    connections_now = len(side.redis.client_list())
    reports = Reports(side.store, side.job_ids, first_step)
    used = processor_seconds(side.pid)
    reports.start()
    await asyncio.to_thread(reports.join)
    used = processor_seconds(side.pid) - used
    async with asyncio.timeout(LAST_EVENTS_SECONDS):
        while not all(first_step + STEPS - 1 in client.arrived for client in clients):
            await asyncio.sleep(0.01)  # nothing overtakes the last step
    resident = _resident_mib(side.pid)
    for client in clients:
        client.transport.close()

    waits = [
        (client.arrived[step] - reports.sent[job_id, step]) * 1000
        for job_id, client in zip(side.job_ids, clients, strict=True)
        for step in range(first_step + UNCOUNTED_STEPS, first_step + STEPS)
        if step in client.arrived
    ]
    cuts = statistics.quantiles(waits, n=100)
    return {
        "arrived": len(waits),
        # A newer one came before they were sent.
        "overtaken": CLIENTS * (STEPS - UNCOUNTED_STEPS) - len(waits),
        "latency_ms_p50": cuts[49],
        "latency_ms_p99": cuts[98],
        "cores": used / SECONDS,
        "resident_mib": resident,
        "redis_connections_before": connections,
        "redis_connections_with_clients": connections_now,
        "connections_gained": connections_now - connections,
    }


def run() -> dict[str, Any]:
    """Interleaved rounds of both."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as servers:
        sides = {
            side: servers.enter_context(_side(Path(name) / side, side))
            for side in ("hub", "pubsub")
        }
        rounds: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
        for number in range(ROUNDS):
            for own, side in sides.items():
                rounds[own].append(asyncio.run(_round(side, 1 + number * STEPS)))
    found: dict[str, Any] = {"clients": CLIENTS, "events_per_second": CLIENTS * EVENTS_A_SECOND}
    for own, measured in rounds.items():
        found[own] = {of: summary([one[of] for one in measured], 2) for of in measured[0]}
    return {**found, "target_latency_ms_p99": TARGET_P99_MS}


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
