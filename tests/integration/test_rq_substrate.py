"""What we lean on in RQ, and what our workers leave there: each behaviour pinned by a test."""

import re

import pytest
from rq import Queue
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer
from rq.utils import now

from shared.queue import open_queue
from shared.request import PRIORITIES, Priority
from shared.rq_workers import PRESENCE_SECONDS, RegisteredWorker, bury, bury_all_but
from tests.harness import RQ_LASTING

NAME = "tessera-test-1"


@pytest.fixture
def queues(rq_connection):
    return [open_queue(rq_connection, "tiny", priority) for priority in PRIORITIES]


@pytest.fixture
def worker(rq_connection, queues):
    worker = RegisteredWorker(queues, name=NAME, connection=rq_connection, prepare_for_work=False)
    worker.hostname, worker.pid = "here", 1
    worker.renew()
    return worker


def take(rq_connection, queues, timeout=1):
    return Queue.dequeue_any(queues, timeout, rq_connection, serializer=JSONSerializer)


def lasting(rq_connection):
    return {key.decode() for key in rq_connection.keys("*") if rq_connection.ttl(key) == -1}


def test_the_pool_keeps_its_short_timeout(worker, rq_connection):
    assert rq_connection.connection_pool.connection_kwargs["socket_timeout"] <= 5


def test_many_executions_at_once_and_none_left(worker, rq_connection, queues, ticket_queue):
    ticket_queue.send("tiny", Priority.NORMAL, 3)
    taken = [take(rq_connection, queues) for _ in range(3)]
    executions = []
    for job, _ in taken:
        job.started_at = now()
        executions.append(worker.prepare_execution(job))
    assert len(worker.executions) == 3
    assert worker.current_execution_count == 3
    worker.renew()
    for (job, queue), execution in zip(taken, executions, strict=True):
        job.ended_at = now()
        worker.handle_job_success(job, queue, queue.started_job_registry, execution)
    assert worker.executions == {}
    assert worker.successful_job_count == 0  # counted in Redis, not here
    assert rq_connection.hget(worker.key, "successful_job_count") == b"3"
    assert lasting(rq_connection) == {"rq:queues", "rq:workers"} | {
        f"rq:workers:{queue.name}" for queue in queues
    }


def test_a_read_of_the_registry_fails_no_ticket(worker, rq_connection, queues, ticket_queue):
    """RQ takes a job for abandoned only while its status is `started`, which we never set."""
    ticket_queue.send("tiny", Priority.NORMAL)
    job, queue = take(rq_connection, queues)
    worker.prepare_execution(job)
    StartedJobRegistry(queue.name, rq_connection).cleanup(timestamp=2**40)
    assert FailedJobRegistry(queue.name, rq_connection).get_job_count(cleanup=False) == 0
    assert Job.fetch(job.id, rq_connection, JSONSerializer).get_status() is JobStatus.QUEUED


def test_a_worker_is_known_for_half_a_minute(worker, rq_connection):
    assert 0 < rq_connection.ttl(worker.key) <= PRESENCE_SECONDS
    assert [known.name for known in RegisteredWorker.all(rq_connection)] == [NAME]


def test_a_forgotten_worker_registers_again(worker, rq_connection):
    rq_connection.flushall()
    worker.renew()
    assert [known.name for known in RegisteredWorker.all(rq_connection)] == [NAME]
    worker.register_death()
    worker.renew()
    assert [known.name for known in RegisteredWorker.all(rq_connection)] == [NAME]


def test_a_dead_worker_is_buried_with_its_tickets(worker, rq_connection, queues, ticket_queue):
    ticket_queue.send("tiny", Priority.NORMAL)
    job, queue = take(rq_connection, queues)
    worker.prepare_execution(job)
    bury(rq_connection, NAME)
    bury(rq_connection, NAME)
    assert RegisteredWorker.all(rq_connection) == []
    assert rq_connection.zcard(queue.started_job_registry.key) == 0
    assert not rq_connection.keys("rq:job:*") + rq_connection.keys("rq:execution*")


def test_only_our_silent_workers_are_buried(worker, rq_connection, queues):
    foreign = RegisteredWorker(
        queues, name="somebody", connection=rq_connection, prepare_for_work=False
    )
    foreign.hostname, foreign.pid = "there", 2
    foreign.renew()
    assert bury_all_but(rq_connection, {NAME}, ["tiny"]) == []
    assert bury_all_but(rq_connection, set(), ["tiny"]) == [NAME]
    assert [known.name for known in RegisteredWorker.all(rq_connection)] == ["somebody"]


def test_what_an_expired_worker_left_is_dropped(worker, rq_connection):
    rq_connection.delete(worker.key)
    bury_all_but(rq_connection, set(), ["tiny"])
    assert lasting(rq_connection) <= {"rq:queues"}


def test_the_documented_keys_are_the_lasting_ones(worker, rq_connection, ticket_queue):
    ticket_queue.send("tiny", Priority.LOW)
    for key in lasting(rq_connection) - {"rq:queue:tiny:low"}:
        assert any(re.fullmatch(pattern, key) for pattern in RQ_LASTING), key
