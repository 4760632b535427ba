"""Workers and keepers as processes, jobs for them, and what must hold whatever happened."""

import hashlib
import json
import os
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import redis

from shared.connections import RedisPair
from shared.ids import new_job_id
from shared.job import Job, JobStatus
from shared.objects import ObjectStore
from shared.queue import TicketQueue, connect_rq
from shared.request import Webhook, WebhookEvent
from shared.rq_workers import RegisteredWorker
from shared.settings import JobSettings, RedisSettings, StorageSettings
from shared.signature import new_secret
from shared.store import keys
from shared.store.job_store import JobStore
from shared.store.signing import KEYLESS
from shared.store.values import NewJob
from shared.store.webhook_route import webhook_route
from shared.store.workers import WorkerState
from tessera.local.children import Child, start_child
from tests.receiver import Receiver
from tests.tiny_model import build_tiny_sd
from tests.tiny_request import tiny_request

READY_SECONDS = 60
STOP_SECONDS = 40
POLL_SECONDS = 0.02
SLOWED_WORKER = "tests.slowed_worker"
# Multiplies what is waited for at most: for machines that do other things, too.
PATIENCE = float(os.environ.get("TESSERA_TEST_PATIENCE", "1"))
WEBHOOK_SECRET = new_secret()
TENANT = "tests"
QUICK = {"steps": 4, "guidance_scale": 4.0, "sampler": "euler"}

MODELS = """
default = "tiny"

[[models]]
id = "tiny"
family = "sd"
path = "tiny"
defaults = { width = 64, height = 64, steps = 4 }
limits = { max_side = 256 }
"""

# What RQ keeps: names of queues and workers. The registries of a queue empty themselves.
RQ_LASTING = (r"rq:queues", r"rq:workers", r"rq:workers:[^:]+:\w+", r"rq:wip:[^:]+:\w+")


def wait_until(condition: Callable[[], bool], seconds: float, what: str = "") -> float:
    """Return the seconds it took until `condition()` held; AssertionError after `seconds`."""
    seconds *= PATIENCE
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds} s: {what}"
        time.sleep(POLL_SECONDS)
    return time.monotonic() - began


def answers(url: str) -> bool:
    """Whether a server on this machine answers there, and well."""
    try:
        return httpx2.get(url, trust_env=False).is_success
    except httpx2.TransportError:
        return False


def tiny_models_file(directory: Path) -> Path:
    """A `models.toml` with the tiny model beside it."""
    build_tiny_sd(directory / "tiny")
    file = directory / "models.toml"
    file.write_text(MODELS)
    return file


@dataclass(frozen=True)
class Processes:
    """Starts our processes against given servers, and submits jobs to them."""

    directory: Path
    environment: dict[str, str]
    redis: RedisPair
    rq: redis.Redis
    store: JobStore
    tickets: TicketQueue
    objects: ObjectStore

    @contextmanager
    def worker(
        self, name: str = "worker", module: str = "worker", **environment: object
    ) -> Iterator[Child]:
        """A ready worker; stopped on leaving, unless the test has ended it."""
        before = {worker.id for worker in self.store.live_workers()}
        child = self.start(name, module, environment)
        try:
            child.wait_until(lambda: bool(self.ready_workers() - before), READY_SECONDS * PATIENCE)
            yield child
        finally:
            child.stop(STOP_SECONDS)

    @contextmanager
    def keeper(self, name: str = "keeper", **environment: object) -> Iterator[Child]:
        """A keeper; stopped on leaving."""
        child = self.start(name, "keeper", environment)
        try:
            yield child
        finally:
            child.stop(STOP_SECONDS)

    def start(
        self, name: str, module: str, environment: Mapping[str, object] | None = None
    ) -> Child:
        """A process that nobody waits for; whoever starts it stops it."""
        own = {f"TESSERA_{key.upper()}": str(value) for key, value in (environment or {}).items()}
        return start_child(
            name,
            [sys.executable, "-m", module],
            self.directory / f"{name}.log",
            {**self.environment, **own},
            directory=Path(__file__).parents[1],
        )

    def ready_workers(self) -> set[str]:
        """Ids of workers that take jobs."""
        live = self.store.live_workers()
        return {worker.id for worker in live if worker.state is WorkerState.READY}

    def submit(
        self,
        count: int = 1,
        *,
        tickets: int | None = None,
        tenant: str = TENANT,
        webhook_url: str | None = None,
        **fields: object,
    ) -> list[str]:
        """Create jobs with seeds that count up, and send one ticket each unless told otherwise.

        A webhook is called for all events, signed with WEBHOOK_SECRET.
        """
        if webhook_url is not None:
            fields["webhook"] = Webhook(url=webhook_url, events=tuple(WebhookEvent))
        request = tiny_request(**QUICK | fields)
        ids = []
        for offset in range(count):
            own = request.model_copy(update={"seed": request.seed + offset})
            job_id = new_job_id()
            route = webhook_route(own, tenant, KEYLESS, f"https://pictures.example/{job_id}")
            self.store.create(NewJob(job_id, tenant, own, webhook=route))
            ids.append(job_id)
        sent = count if tickets is None else tickets
        if sent:
            self.tickets.send(request.model, request.priority, sent)
        return ids

    def jobs(self, ids: Sequence[str]) -> list[Job]:
        """The records."""
        found = [self.store.get(job_id) for job_id in ids]
        assert all(found)
        return [job for job in found if job is not None]

    def statuses(self, ids: Sequence[str]) -> Counter[JobStatus]:
        """How many jobs are in which status."""
        return Counter(job.status for job in self.jobs(ids))

    def wait_for(self, ids: Sequence[str], status: JobStatus, seconds: float) -> float:
        """Return the seconds it took until all the jobs had that status."""
        return wait_until(
            lambda: self.statuses(ids) == {status: len(ids)}, seconds, f"all {status}"
        )

    def worker_of(self, job_id: str) -> str | None:
        """The worker that has or had the job's newest attempt."""
        return self.redis.durable.hget(keys.job(job_id), "worker")

    def workers_in_rq(self) -> set[str]:
        """The workers that `rq info` would show."""
        return {worker.name for worker in RegisteredWorker.all(self.rq)}

    def check_invariants(self, ids: Sequence[str]) -> None:
        """What holds once all jobs have ended, whatever happened to them before."""
        for job in self.jobs(ids):
            assert job.status.terminal
            events = self.redis.durable.xrange(keys.events(job.id))
            ends = [
                fields
                for _, fields in events
                if fields["type"] == "status"
                and JobStatus(json.loads(fields["data"])["status"]).terminal
            ]
            assert len(ends) == 1, f"{job.id} ended {len(ends)} times"
            if job.status is JobStatus.SUCCEEDED:
                assert [image.index for image in job.images] == list(range(job.request.num_images))
            for image in job.images:
                stored = self.objects.get(image.key)
                assert hashlib.sha256(stored).hexdigest() == image.sha256
        assert self.redis.durable.zcard("tessera:leases") == 0
        assert self.redis.durable.zcard("tessera:deadlines") == 0
        assert not self.store.lanes()

    def check_webhooks(self, receiver: Receiver, ids: Sequence[str]) -> None:
        """Every end arrived, signed, and under each id came one body only."""
        pending = partial(self.redis.durable.zcard, keys.PENDING_WEBHOOKS)
        wait_until(lambda: pending() == 0, 40, "all webhooks delivered")
        for bodies in receiver.bodies().values():
            assert len(bodies) == 1
        told: dict[str, set[str]] = {}
        for received in receiver.verified(WEBHOOK_SECRET):
            event = json.loads(received.body)
            told.setdefault(event["data"]["id"], set()).add(event["type"])
        for job in self.jobs(ids):
            started = {"job.started"} if job.started_at else set()
            assert told[job.id] == {f"job.{job.status}"} | started

    def lasting_keys(self) -> list[str]:
        """Keys without a TTL that have no business to stay."""
        allowed = [*keys.LASTING, *RQ_LASTING]
        client = self.redis.durable
        return [
            key
            for key in client.scan_iter(count=1000)
            if client.ttl(key) == -1
            and not any(re.fullmatch(pattern, key) for pattern in allowed)
            and not key.startswith("rq:queue:tiny:")
        ]


@contextmanager
def processes(
    directory: Path,
    redis_pair: RedisPair,
    redis_settings: RedisSettings,
    storage: StorageSettings,
    models_file: Path,
    **environment: object,
) -> Iterator[Processes]:
    """Our processes against these servers; metrics on ports of the system's choice."""
    jobs = JobSettings()
    assert storage.s3_endpoint_url is not None
    assert storage.s3_secret_access_key is not None
    own = {
        "redis_url": redis_settings.redis_url,
        "s3_endpoint_url": storage.s3_endpoint_url,
        "s3_bucket": storage.s3_bucket,
        "s3_access_key_id": storage.s3_access_key_id,
        "s3_secret_access_key": storage.s3_secret_access_key.get_secret_value(),
        "models_file": models_file,
        "metrics_port": 0,
        "outbound_allow": "127.0.0.0/8:*",
        "webhook_secret": WEBHOOK_SECRET,
        **environment,
    }
    settings = {f"TESSERA_{name.upper()}": str(value) for name, value in own.items()}
    tickets = TicketQueue(redis_settings)
    rq_connection = connect_rq(redis_settings, name="test")
    yield Processes(
        directory,
        {**os.environ, **settings},
        redis_pair,
        rq_connection,
        JobStore(redis_pair, jobs),
        tickets,
        ObjectStore(storage),
    )
    tickets.close()
    rq_connection.close()


def in_mid_sampling(running: Processes, ids: Sequence[str]) -> bool:
    """Whether all the jobs are in flight, and some beyond their first steps."""
    jobs = running.jobs(ids)
    in_flight = all(job.status is JobStatus.RUNNING for job in jobs)
    return in_flight and any(job.progress.step > 1 for job in jobs)


def gpu_process_of(worker: Child) -> int:
    """The process id of the supervisor's child."""
    children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])


def later_attempts(worker: Child) -> list[dict[str, Any]]:
    """What the worker's log says of the attempts that were not their jobs' first."""
    return [line for line in logged(worker) if line["message"] == "a later attempt begins"]


def logged(worker: Child) -> list[dict[str, Any]]:
    """Its log."""
    lines = worker.log.read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def kill(*pids: int) -> None:
    """SIGKILL."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
