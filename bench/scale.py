"""One Valkey under a thousand workers: what a claim and a beat take, and how busy the server is.

`python -m bench.scale [WORKERS] [SECONDS]`: a table, and bench/results/scale.json. It takes SECONDS
and, for a thousand workers, half a minute more.

The workers are stubs: they tell their record, beat, claim, tell a picture, commit and claim again,
as often and as much as real ones do, and make nothing. Each has eight slots, always full. The
server's files lie in the system's temporary folder, every write on disk before its answer.
`late_ms_p99` says how late the stubs were themselves: where it is large, they were too slow, not
the server.
"""

import heapq
import json
import math
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.requests import request
from shared.connections import connect
from shared.ids import new_attempt_id, new_job_id
from shared.job import StoredImage, Timing
from shared.pace import HeldJob, ModelPace, SizePace, WorkerPace
from shared.periodic import Periodic
from shared.request import Priority
from shared.settings import JobSettings, RedisSettings
from shared.store.job_store import JobStore
from shared.store.values import NewJob, Outcome
from shared.store.workers import HeldModel, WorkerRecord, WorkerState
from tessera.local.ports import free_ports
from tessera.local.servers import start_valkey
from worker.engine.rows import ROW_BUCKETS
from worker.pulse import RECORD_SECONDS, WORKERS_A_TURN

WORKERS = 1_000
SLOTS = 8
SECONDS = 30.0
RESULT = Path(__file__).parent / "results" / "scale.json"
JOB_SECONDS = 30.0  # on average, as on a busy worker
BEAT_SECONDS = JobSettings().lease_seconds / 3
WARM_UP_SECONDS = 10.0
PROCESSES = 2
THREADS = 16  # of each process
FILLED_A_SECOND = 400
BEAT, EMPTY, TELL = "", "?", "!"
AHEAD = 500  # jobs that wait, so that a claim always finds one
SETTINGS = JobSettings(
    max_queued_jobs=1_000_000, max_queued_jobs_per_tenant=1_000_000, retention_seconds=60
)


@dataclass
class Fleet:
    """The stubs of one thread, and what their calls took in milliseconds."""

    store: JobStore
    workers: list[str]
    begin: float  # of the measured time
    end: float
    filling: float  # seconds over which the slots are filled
    lost: int = 0  # jobs whose lease ran out, because nobody was fast enough for the beats
    took: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    held: defaultdict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    def run(self) -> None:
        """Live until the end."""
        due: list[tuple[float, str, str]] = []  # when, worker, and the job, BEAT, EMPTY or TELL
        for worker in self.workers:
            due.append((time.monotonic() + random.uniform(0, BEAT_SECONDS), worker, BEAT))
            due.append((time.monotonic() + random.uniform(0, RECORD_SECONDS), worker, TELL))
            filled = [time.monotonic() + random.uniform(0, self.filling) for _ in range(SLOTS)]
            due += [(at, worker, EMPTY) for at in filled]
        heapq.heapify(due)
        while due[0][0] < self.end:
            at, worker, job_id = heapq.heappop(due)
            time.sleep(max(at - time.monotonic(), 0))
            self._note("late", time.monotonic() - at)
            if job_id == BEAT:
                self._timed("beat", self.store.beat, worker, self.held[worker])
                heapq.heappush(due, (at + BEAT_SECONDS, worker, BEAT))
                continue
            if job_id == TELL:
                known = self._timed("tell", self.store.announce_worker, _record(worker))
                turns = math.ceil(known / WORKERS_A_TURN)
                heapq.heappush(due, (at + turns * RECORD_SECONDS, worker, TELL))
                continue
            if job_id != EMPTY:
                self._finish(worker, job_id)
            heapq.heappush(due, self._next_job(worker))

    def _next_job(self, worker: str) -> tuple[float, str, str]:
        self._timed("create", self.store.create, NewJob(new_job_id(), "bench", request()))
        claim = self._timed("claim", self.store.claim, [request().model], new_attempt_id(), worker)
        assert claim is not None
        self.held[worker][claim.job.id] = claim.attempt_id
        return time.monotonic() + random.uniform(0, 2 * JOB_SECONDS), worker, claim.job.id

    def _finish(self, worker: str, job_id: str) -> None:
        attempt = self.held[worker].pop(job_id)
        picture = StoredImage(
            index=0, key="k", seed=0, width=64, height=64, format="png", bytes=1, sha256="0" * 64
        )
        self._timed("add_image", self.store.add_image, job_id, attempt, picture)
        timing = Timing(total_ms=1)
        outcome = self._timed("commit", self.store.commit, job_id, attempt, timing=timing)
        self.lost += outcome is Outcome.LOST

    def _timed(self, name: str, call: Any, *args: Any, **named: Any) -> Any:
        began = time.monotonic()
        answer = call(*args, **named)
        self._note(name, time.monotonic() - began)
        return answer

    def _note(self, name: str, seconds: float) -> None:
        if self.begin < time.monotonic() < self.end:
            self.took[name].append(seconds * 1000)


def _record(worker: str) -> WorkerRecord:
    """As long as that of a worker with one model, three sizes and all slots taken."""
    model = request().model
    tick_seconds = {rows: 0.0123456789 * rows for rows in ROW_BUCKETS}
    sizes = tuple(
        SizePace(pixels=side * side, tick_seconds=tick_seconds, served_seconds=12.345)
        for side in (512, 768, 1024)
    )
    held = HeldModel(
        bytes=2**31,
        max_rows=16,
        attention="sdpa-flash",
        tick_seconds=tick_seconds,
        image_seconds=1.234,
    )
    job = HeldJob(
        tenant="a-tenant",
        priority=Priority.NORMAL,
        model=model,
        pixels=512 * 512,
        rows=2,
        cost=20.0,
        cost_left=12.345,
        place=123,
        next_place=124,
    )
    pace = ModelPace(
        model=model,
        max_rows=16,
        sizes=sizes,
        prepare_seconds=0.0123,
        picture_seconds=0.0456,
        load_seconds=12.3,
    )
    return WorkerRecord(
        id=worker,
        host="bench",
        models=(model,),
        held={model: held},
        max_rows=16,
        state=WorkerState.READY,
        started_at=time.time(),
        pace=WorkerPace(models=(pace,), crowded_speed=12.3, slots=SLOTS, held=(job,) * SLOTS),
    )


def open_store(port: int) -> JobStore:
    """A store with a connection pool of its own."""
    settings = RedisSettings(redis_url=f"redis://127.0.0.1:{port}/0", redis_timeout_seconds=10)
    return JobStore(connect(settings, name="bench"), SETTINGS)


def live(port: int, workers: list[str], *times: float) -> tuple[dict[str, list[float]], int]:
    """One process: the workers' lives on THREADS threads; what calls took, and jobs lost."""
    store = open_store(port)
    shares = (workers[k::THREADS] for k in range(THREADS))
    fleets = [Fleet(store, share, *times) for share in shares if share]
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(Fleet.run, fleets):
            pass  # what a thread raised is raised here
    together: dict[str, list[float]] = defaultdict(list)
    for fleet in fleets:
        for name, values in fleet.took.items():
            together[name] += values
    return together, sum(fleet.lost for fleet in fleets)


def run(workers: int = WORKERS, seconds: float = SECONDS) -> dict[str, Any]:
    """Fill all slots, wait until the beats have settled, measure."""
    names = [f"stub-{k}" for k in range(workers)]
    with tempfile.TemporaryDirectory() as folder:
        port = free_ports(["valkey"])["valkey"]
        server = start_valkey(Path(folder) / "data", Path(folder) / "log", port)
        store = open_store(port)
        for _ in range(AHEAD):
            store.create(NewJob(new_job_id(), "bench", request()))
        pump = Periodic("pump", 2.0, lambda: store.reap() and None)
        pump.start()
        filling = workers * SLOTS / FILLED_A_SECOND
        begin = time.monotonic() + filling + WARM_UP_SECONDS
        cpu: list[float] = []
        clock = [
            threading.Timer(at - time.monotonic(), lambda: cpu.append(_cpu_seconds(port)))
            for at in (begin, begin + seconds)
        ]
        for timer in clock:
            timer.start()
        with ProcessPoolExecutor(PROCESSES) as pool:
            lives = [
                pool.submit(live, port, names[k::PROCESSES], begin, begin + seconds, filling)
                for k in range(PROCESSES)
            ]
            lived = [one.result() for one in lives]
        for timer in clock:
            timer.join()
        pump.stop()
        server.stop(5)
    result: dict[str, Any] = {"workers": workers, "slots": SLOTS, "seconds": seconds}
    for name in ("claim", "beat", "tell", "create", "add_image", "commit", "late"):
        values = [value for one, _ in lived for value in one.get(name, ())]
        if name != "late":
            result[f"{name}s_a_second"] = round(len(values) / seconds, 1)
        result[f"{name}_ms_p50"] = round(statistics.median(values), 2)
        result[f"{name}_ms_p99"] = round(statistics.quantiles(values, n=100)[-1], 2)
    result["leases_lost"] = sum(lost for _, lost in lived)
    result["server_cores_busy"] = round((cpu[1] - cpu[0]) / seconds, 3)
    return result


def _cpu_seconds(port: int) -> float:
    settings = RedisSettings(redis_url=f"redis://127.0.0.1:{port}/0")
    about: dict[str, float] = connect(settings, name="bench").durable.info("cpu")
    return about["used_cpu_user"] + about["used_cpu_sys"]


def main(arguments: list[str]) -> None:
    """Run, print, write."""
    wanted = [float(argument) for argument in arguments]
    result = run(int(wanted[0]) if wanted else WORKERS, wanted[1] if wanted[1:] else SECONDS)
    for name, value in result.items():
        print(f"{name:24} {value}")
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(f"written: {RESULT}")


if __name__ == "__main__":
    main(sys.argv[1:])
