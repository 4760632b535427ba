"""Tickets in RQ: hints that a model has work at a priority, sent to and counted in its queues."""

from collections import Counter
from collections.abc import Collection, Sequence
from uuid import uuid4

import redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import now

from shared.connections import short_retry, store_errors
from shared.redis_url import open_client
from shared.request import PRIORITIES, Priority
from shared.settings import RedisSettings

# What people see. RQ never imports it: a worker knows a ticket by its id, and asks the store for
# a job instead.
TICKET_TASK = "worker.tasks.ticket"
TICKET_PREFIX = "ticket-"

TICKET_SECONDS = 3600  # a ticket that nobody took by then is dropped; the pump sends another
FAILED_SECONDS = 60

Lane = tuple[str, Priority]


def queue_name(model: str, priority: Priority) -> str:
    """RQ's name for the queue of one model and priority."""
    return f"{model}:{priority}"


def connect_rq(settings: RedisSettings, *, name: str) -> "redis.Redis":
    """A client of the scratch server for RQ, which wants bytes and changes its pool's timeouts."""
    return open_client(
        settings.scratch_url or settings.redis_url,
        client_name=name,
        socket_timeout=settings.redis_timeout_seconds,
        socket_connect_timeout=settings.redis_timeout_seconds,
        health_check_interval=30,
        retry=short_retry(),
    )


def open_queue(connection: "redis.Redis", model: str, priority: Priority) -> Queue:
    """RQ's queue of that lane. JSON, because unpickling what lies in Redis would run it."""
    return Queue(queue_name(model, priority), connection=connection, serializer=JSONSerializer)


def is_ticket(rq_job_id: str) -> bool:
    """Whether it is one of ours, and not a task that somebody else put into the queue."""
    return rq_job_id.startswith(TICKET_PREFIX)


class TicketQueue:
    """Sends and counts tickets; safe to share between threads."""

    def __init__(self, redis_settings: RedisSettings) -> None:
        self._connection = connect_rq(redis_settings, name="tessera-tickets")

    def send(self, model: str, priority: Priority, count: int = 1) -> None:
        """Put `count` tickets into one lane, or raise StoreUnavailable."""
        self.send_many(Counter({(model, priority): count}))

    def send_many(self, tickets: Counter[Lane]) -> None:
        """Put tickets into several lanes in one round trip, or raise StoreUnavailable."""
        with store_errors(), self._connection.pipeline() as pipeline:
            for (model, priority), count in tickets.items():
                _put(open_queue(self._connection, model, priority), count, pipeline)
            pipeline.execute()

    def counts(self, models: Collection[str]) -> dict[Lane, int]:
        """Tickets waiting in every lane of `models`; raises StoreUnavailable."""
        lanes: Sequence[Lane] = [(model, lane) for model in models for lane in PRIORITIES]
        with store_errors(), self._connection.pipeline(transaction=False) as pipeline:
            for model, priority in lanes:
                pipeline.llen(open_queue(self._connection, model, priority).key)
            return dict(zip(lanes, pipeline.execute(), strict=True))

    def close(self) -> None:
        """Give the connections back."""
        self._connection.close()


def _put(queue: Queue, count: int, pipeline: "redis.client.Pipeline") -> None:
    """Put `count` tickets into a queue, as RQ's `enqueue_many` would.

    But for their ids they are alike, so that their record is made once and copied: RQ would make
    each by itself, ask the server for its version, and send six commands for each instead of one.
    """
    ticket = queue.create_job(
        TICKET_TASK, timeout=-1, ttl=TICKET_SECONDS, result_ttl=0, failure_ttl=FAILED_SECONDS
    )
    ticket.origin, ticket.enqueued_at = queue.name, now()
    ids = [f"{TICKET_PREFIX}{uuid4()}" for _ in range(count)]
    first, *others = map(Job.key_for, ids)
    pipeline.sadd(queue.redis_queues_keys, queue.key)
    pipeline.hset(first, mapping=ticket.to_dict())
    pipeline.expire(first, TICKET_SECONDS)
    for key in others:
        pipeline.copy(first, key)  # with the time that is left to it
    pipeline.rpush(queue.key, *ids)
