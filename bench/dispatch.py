"""From a ticket to the job's beginning, and jobs a second in bursts: our worker beside RQ's own.

Both work on one Redis that is on disk before it answers, with jobs that do nothing. Ours claims
each job from the store and commits its end there; RQ's SimpleWorker calls a function. A burst is
timed from its sending to the last job's end. That a job's record is written before its ticket is
not counted: `bench.gateway` measures it.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rq import Queue
from rq.serializers import JSONSerializer

from bench import dispatch_worker
from bench.dispatch_worker import BEGUN, BURST, ENDED, MESSAGE, MODEL, PIPE, RQ_QUEUE
from bench.figures import of_all, p99, ratios, summary
from bench.line import fsync_milliseconds
from bench.requests import request
from bench.service import start_python
from shared.connections import connect
from shared.ids import new_job_id
from shared.queue import TicketQueue, connect_rq
from shared.request import Priority
from shared.settings import JobSettings, RedisSettings
from shared.store.job_store import JobStore
from shared.store.values import NewJob
from tessera.local.ports import HOST, free_ports
from tessera.local.servers import start_valkey

ROUNDS = 5
SINGLES = 30  # a round
BURSTS = 4  # a round
LOOK_SECONDS = 0.005
PAUSE_SECONDS = 0.05  # in which a worker ends its bookkeeping, and waits for work
TRIVIAL = f"{dispatch_worker.__name__}.{dispatch_worker.trivial.__name__}"


@dataclass(frozen=True)
class Side:
    """One worker: what prepares so many jobs, what sends them, and the pipe where they tell."""

    prepare: Callable[[int], None]
    send: Callable[[int], None]
    pipe: int

    def run(self, count: int) -> tuple[float, float]:
        """Seconds from sending to the first job's beginning, and to the last one's end."""
        self.prepare(count)
        time.sleep(PAUSE_SECONDS)
        sent = time.monotonic()
        self.send(count)
        moments: dict[bytes, list[float]] = {BEGUN: [], ENDED: []}
        while len(moments[ENDED]) < count:
            # The moments are the worker's own: who woke up for each would only take its core.
            time.sleep(LOOK_SECONDS)
            for what, moment in MESSAGE.iter_unpack(os.read(self.pipe, 2 * count * MESSAGE.size)):
                moments[what].append(moment)
        return min(moments[BEGUN]) - sent, max(moments[ENDED]) - sent


@contextmanager
def _pipe(file: Path) -> Iterator[int]:
    """A named pipe, opened so that it does not end when a worker does."""
    os.mkfifo(file)
    opened = os.open(file, os.O_RDWR)
    yield opened
    os.close(opened)


@contextmanager
def _sides(directory: Path) -> Iterator[dict[str, Side]]:
    """Both workers, warm, on one server."""
    port = free_ports(["valkey"])["valkey"]
    settings = RedisSettings(redis_url=f"redis://{HOST}:{port}/0")
    valkey = start_valkey(directory / "valkey", directory / "valkey.log", port)
    store = JobStore(connect(settings, name="bench"), JobSettings())
    tickets = TicketQueue(settings)
    queue = Queue(
        RQ_QUEUE, connection=connect_rq(settings, name="bench"), serializer=JSONSerializer
    )

    def create(count: int) -> None:
        new = [NewJob(new_job_id(), "bench", request(model=MODEL)) for _ in range(count)]
        store.create_many([(one, None) for one in new])

    def enqueue(count: int) -> None:
        # Results are not kept, as those of our tickets are not.
        queue.enqueue_many([Queue.prepare_data(TRIVIAL, result_ttl=0) for _ in range(count)])

    with _pipe(directory / "ours") as ours, _pipe(directory / "rq") as rqs:
        sides = {
            "ours": Side(create, lambda count: tickets.send(MODEL, Priority.NORMAL, count), ours),
            "rq": Side(lambda count: None, enqueue, rqs),
        }
        workers = []
        try:
            for name in sides:
                own = {PIPE: str(directory / name), "TESSERA_REDIS_URL": settings.redis_url}
                workers.append(
                    start_python(directory, f"{name}-worker", ["bench.dispatch_worker", name], own)
                )
            for side in sides.values():
                side.run(BURST)
            yield sides
        finally:
            for worker in workers:
                worker.stop(10)
            valkey.stop(10)


def run() -> dict[str, Any]:
    """Interleaved rounds of single jobs and of bursts."""
    waits: dict[str, list[list[float]]] = {"ours": [], "rq": []}
    bursts: dict[str, list[float]] = {"ours": [], "rq": []}
    with tempfile.TemporaryDirectory() as folder:
        fsync = fsync_milliseconds(Path(folder))
        with _sides(Path(folder)) as sides:
            for _ in range(ROUNDS):
                for name, side in sides.items():
                    waits[name].append([side.run(1)[0] * 1e3 for _ in range(SINGLES)])
                for name, side in sides.items():
                    rates = [BURST / side.run(BURST)[1] for _ in range(BURSTS)]
                    bursts[name].append(statistics.median(rates))
    medians = {name: [statistics.median(one) for one in found] for name, found in waits.items()}
    return {
        "latency_ms_p50": summary(medians["ours"], 2),
        "rq_latency_ms_p50": summary(medians["rq"], 2),
        "latency_ratio_p50": ratios(medians["ours"], medians["rq"]),
        "latency_ms_p99": of_all(p99, waits["ours"], 2),
        "rq_latency_ms_p99": of_all(p99, waits["rq"], 2),
        "burst_jobs_per_second": summary(bursts["ours"], 0),
        "rq_burst_jobs_per_second": summary(bursts["rq"], 0),
        "burst_times_faster": ratios(bursts["ours"], bursts["rq"], 2),
        "fsync_ms_p50": round(fsync, 3),
    }


if __name__ == "__main__":
    for name, value in run().items():
        print(f"{name:28} {value}")
