"""The service in virtual time: the real store, batcher, fair order and cost model, a fake device.

A tick of B rows takes what a law says; nothing sleeps. So what the policies promise is measured on
any machine, and the same trace gives the same numbers.
"""

import heapq
import itertools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from shared.connections import connect
from shared.cost import Helper, Newcomer, finish_seconds
from shared.ids import new_attempt_id, new_job_id
from shared.job import StoredImage, Timing
from shared.pace import HeldJob, WorkerPace
from shared.request import PRIORITIES, GenerationRequest, Priority
from shared.settings import JobSettings, RedisSettings
from shared.store.job_store import JobStore
from shared.store.values import Claim, NewJob
from tessera.local.ports import free_ports
from tessera.local.servers import start_valkey
from worker.engine.batcher import Batcher
from worker.engine.engine import TickReport
from worker.engine.rows import padded_rows
from worker.engine.sample import BatchKey, Kind, Sample
from worker.fair_order import FairOrder, next_place
from worker.pace import Pacer

MODEL = "fake"
CELL_PIXELS = 64  # a latent's place stands for 8 x 8 pixels
WARM_UP_PIXELS = 512 * 512
TELL_SECONDS = 0.25  # how often a worker tells its pace
LOOK_SECONDS = 0.25  # how often a gateway looks at what workers told


@contextmanager
def empty_store() -> Iterator[JobStore]:
    """A store on a Valkey of its own."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_ports(["valkey"])["valkey"]
        child = start_valkey(Path(folder) / "data", Path(folder) / "log", port)
        pair = connect(RedisSettings(redis_url=f"redis://127.0.0.1:{port}/0"), name="bench")
        pair.durable.config_set("appendfsync", "no")
        yield JobStore(pair, JobSettings())
        pair.durable.close()
        child.stop(5)


Law = Callable[[int, int], float]  # (rows, pixels) -> seconds of a tick


@dataclass(frozen=True)
class Device:
    """A worker's measures; `prepare` and `finish` seconds lie outside the engine."""

    law: Law
    max_rows: int = 8
    slots: int = 16
    high_slots: int = 2
    prepare_seconds: float = 0.05
    finish_seconds: float = 0.3


@dataclass
class Submitted:
    """One job of a trace: what was promised and what became of it, in virtual seconds."""

    tenant: str
    request: GenerationRequest
    at: float
    eta: float | None = None
    first_tick: float | None = None
    done: float | None = None


@dataclass
class _Held:
    claim: Claim
    samples: list[Sample]
    pictures_left: int

    def told(self) -> HeldJob:
        request = self.claim.job.request
        done = sum(sample.tick / sample.ticks for sample in self.samples) / len(self.samples)
        place = self.samples[0].sequence
        return HeldJob(
            tenant=self.claim.job.tenant,
            priority=request.priority,
            model=MODEL,
            pixels=request.width * request.height,
            rows=request.rows * request.num_images,
            cost=request.cost,
            cost_left=request.cost * (1 - done),
            place=place,
            next_place=next_place(place, request.cost),
        )


@dataclass
class _Worker:
    name: str
    device: Device
    batcher: Batcher
    order: FairOrder = field(default_factory=FairOrder)
    pacer: Pacer = field(default_factory=Pacer)
    held: dict[str, _Held] = field(default_factory=dict)
    stepping: bool = False
    told: WorkerPace = field(default_factory=WorkerPace)
    seen: WorkerPace = field(default_factory=WorkerPace)

    @property
    def free(self) -> int:
        return self.device.slots - len(self.held)


class Simulation:
    """Runs traces on one store; times are virtual seconds since the start."""

    def __init__(self, store: JobStore, device: Device, workers: int = 1) -> None:
        self.now = 0.0
        self.jobs: dict[str, Submitted] = {}
        self._store = store
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._ties = itertools.count()
        self._workers = [
            _Worker(f"worker-{number}", device, Batcher(lambda _: device.max_rows))
            for number in range(workers)
        ]

    def run(self, trace: list[Submitted], last: Submitted | None = None) -> None:
        """Play a trace to its end, or until the job `last` is done."""
        awaited = trace if last is None else [last]
        for job in trace:
            self._at(job.at, lambda job=job: self._submit(job))
        for worker in self._workers:
            self._warm_up(worker)
        while self._events and any(job.done is None for job in awaited):
            self.now, _, act = heapq.heappop(self._events)
            act()

    def _at(self, moment: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._ties), act))

    def _submit(self, job: Submitted) -> None:
        created = self._store.create(NewJob(new_job_id(), job.tenant, job.request))
        self.jobs[created.job_id] = job
        helpers = [Helper(worker.seen, resident=True) for worker in self._workers]
        jobs_ahead = sum(row.jobs for row in created.ahead)
        cost_ahead = sum(row.cost for row in created.ahead)
        newcomer = Newcomer(job.request, job.tenant, jobs_ahead, cost_ahead)
        job.eta = finish_seconds(newcomer, helpers)
        self._fill()

    def _fill(self) -> None:
        """Let workers claim while they have slots, the emptiest first."""
        while True:
            worker = next((one for one in self._workers if one.free > 0), None)
            if worker is None or not self._claim(worker):
                return
            self._workers.append(self._workers.pop(self._workers.index(worker)))

    def _claim(self, worker: _Worker) -> bool:
        device = worker.device
        floor = Priority.HIGH if worker.free <= device.high_slots else None
        claim = self._store.claim([MODEL], new_attempt_id(), worker.name, priority_floor=floor)
        if claim is None:
            return False
        request = claim.job.request
        place = worker.order.enter(claim.attempt_id, claim.job.tenant, request.cost)
        key = BatchKey(MODEL, (4, request.height // 8, request.width // 8), Kind.ORDINARY)
        samples = [
            Sample(
                job_id=claim.job.id,
                index=index,
                key=key,
                rows=request.rows,
                ticks=request.steps,
                priority=PRIORITIES.index(request.priority),
                sequence=place,
                state=None,
            )
            for index in range(request.num_images)
        ]
        worker.held[claim.job.id] = _Held(claim, samples, len(samples))
        worker.pacer.prepared(MODEL, device.prepare_seconds)
        self._at(self.now + device.prepare_seconds, lambda: self._admit(worker, samples))
        return True

    def _admit(self, worker: _Worker, samples: list[Sample]) -> None:
        for sample in samples:
            worker.batcher.add(sample)
        if not worker.stepping:
            self._step(worker)

    def _step(self, worker: _Worker) -> None:
        batch = worker.batcher.next()
        worker.stepping = bool(batch)
        if not batch:
            return
        crowded = len(worker.batcher) > len(batch)
        rows = sum(sample.rows for sample in batch)
        key = batch[0].key
        area = key.latent_shape[1] * key.latent_shape[2]
        padded = padded_rows(rows, key.kind)
        seconds = worker.device.law(padded, area * CELL_PIXELS)
        for sample in batch:
            sample.tick += 1
            job = self.jobs[sample.job_id]
            job.first_tick = self.now if job.first_tick is None else job.first_tick
            if sample.tick == sample.ticks:
                worker.batcher.discard(sample)
        report = TickReport(
            MODEL, rows, padded, len(batch), seconds, worker.batcher.groups, area, crowded
        )
        self._at(self.now + seconds, lambda: self._tick_ended(worker, batch, report))

    def _tick_ended(self, worker: _Worker, batch: list[Sample], report: TickReport) -> None:
        worker.batcher.charge(batch[0].key, report.seconds)
        worker.pacer.tick(report)
        for sample in batch:
            if sample.tick == sample.ticks:
                moment = self.now + worker.device.finish_seconds
                self._at(moment, lambda sample=sample: self._picture(worker, sample))
        self._step(worker)

    def _picture(self, worker: _Worker, sample: Sample) -> None:
        held = worker.held[sample.job_id]
        claim = held.claim
        worker.pacer.stored(MODEL, worker.device.finish_seconds)
        self._store.add_image(claim.job.id, claim.attempt_id, _picture_of(claim, sample.index))
        held.pictures_left -= 1
        if held.pictures_left:
            return
        self._store.commit(claim.job.id, claim.attempt_id, timing=Timing())
        self.jobs[claim.job.id].done = self.now
        del worker.held[claim.job.id]
        worker.order.leave(claim.attempt_id)
        self._fill()

    def _tell(self, worker: _Worker) -> None:
        held = [one.told() for one in worker.held.values()]
        device = worker.device
        worker.told = worker.pacer.pace(device.slots, device.high_slots, held)
        self._at(self.now + TELL_SECONDS, lambda: self._tell(worker))

    def _look(self, worker: _Worker) -> None:
        worker.seen = worker.told
        self._at(self.now + LOOK_SECONDS, lambda: self._look(worker))

    def _warm_up(self, worker: _Worker) -> None:
        """What a worker's warm-up measures: ticks of one size at every width."""
        device = worker.device
        worker.pacer.loaded(
            MODEL,
            max_rows=device.max_rows,
            cell_pixels=CELL_PIXELS,
            pixels=WARM_UP_PIXELS,
            tick_seconds={rows: device.law(rows, WARM_UP_PIXELS) for rows in (1, 2, 4, 8)},
            load_seconds=0.0,
        )
        self._tell(worker)
        worker.seen = worker.told
        self._at(LOOK_SECONDS / 2, lambda: self._look(worker))


def _picture_of(claim: Claim, index: int) -> StoredImage:
    return StoredImage(
        index=index,
        key=f"{claim.attempt_id}/{index}",
        seed=0,
        width=8,
        height=8,
        format="png",
        bytes=1,
        sha256="",
    )
