"""Our workers in RQ's registry: known by name while they live, buried when they are gone."""

from collections.abc import Collection, Iterable

import redis
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import BaseWorker
from rq.worker.base import WorkerStatus
from rq.worker_registration import clean_worker_registry

from shared.queue import open_queue
from shared.request import PRIORITIES

NAME_PREFIX = "tessera-"  # only such workers are ours to bury

# RQ would keep a dead worker's name for its time-to-live plus a minute, which it cannot go below.
PRESENCE_SECONDS = 30
EXECUTION_SECONDS = 60
SOCKET_SECONDS = 5


class RegisteredWorker(BaseWorker):
    """RQ's worker, without the parts that stop, fork or wait for minutes."""

    log_job_description = False

    @property
    def connection_timeout(self) -> int:
        """RQ raises its pool's socket timeout to this, to nearly seven minutes by default."""
        return SOCKET_SECONDS

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        """How long an execution stays known without a heartbeat, in seconds."""
        return EXECUTION_SECONDS

    def subscribe(self) -> None:
        """Take no commands: they stop forked processes, and their thread dies of a time-out."""

    def renew(self) -> None:
        """Stay known, with every execution; register again where the server has forgotten us."""
        known = self.connection.hexists(self.key, "birth")
        if not known or self.connection.hexists(self.key, "death"):
            self.register_birth()  # type: ignore[no-untyped-call]
            self.set_state(WorkerStatus.BUSY if self.executions else WorkerStatus.IDLE)
        with self.connection.pipeline() as pipeline:
            self.heartbeat(PRESENCE_SECONDS, pipeline=pipeline)
            for execution in list(self.executions.values()):
                registry = execution.job.started_job_registry
                execution.heartbeat(registry, EXECUTION_SECONDS, pipeline=pipeline)
            pipeline.execute()


def bury(connection: "redis.Redis", name: str) -> None:
    """Remove a dead worker with its executions and their tickets, if RQ still knows it."""
    key = f"{BaseWorker.redis_worker_namespace_prefix}{name}"
    worker = RegisteredWorker.find_by_key(key, connection, serializer=JSONSerializer)
    if worker is None:
        return
    for execution in worker.get_current_executions():
        try:
            ticket = Job.fetch(execution.job_id, connection, JSONSerializer)
        except NoSuchJobError:
            continue
        with connection.pipeline() as pipeline:
            execution.delete(ticket, pipeline)
            ticket.delete(pipeline=pipeline, remove_from_queue=False)
            pipeline.execute()
    worker.register_death()  # type: ignore[no-untyped-call]


def bury_all_but(
    connection: "redis.Redis", live: Collection[str], models: Iterable[str]
) -> list[str]:
    """Bury our workers whose names are not in `live`; the names of those buried.

    Also drops what points to workers and executions that RQ has let expire.
    """
    prefix = BaseWorker.redis_worker_namespace_prefix
    names = [key.removeprefix(prefix) for key in BaseWorker.all_keys(connection)]
    gone = [name for name in names if name.startswith(NAME_PREFIX) and name not in live]
    for name in gone:
        bury(connection, name)
    for model in models:
        for priority in PRIORITIES:
            queue = open_queue(connection, model, priority)
            clean_worker_registry(queue)
            queue.started_job_registry.cleanup()
    return gone
