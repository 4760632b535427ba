"""Tickets reach their lanes as RQ jobs that nobody can run."""

from collections import Counter

import pytest
from rq.job import Job
from rq.serializers import JSONSerializer

from shared.errors import StoreUnavailable
from shared.queue import TICKET_TASK, TicketQueue, connect_rq, open_queue
from shared.request import Priority
from shared.settings import RedisSettings


def test_tickets_are_counted_by_lane(redis_settings):
    tickets = TicketQueue(redis_settings)
    tickets.send("emoji", Priority.HIGH)
    tickets.send_many(Counter({("emoji", Priority.LOW): 2, ("other", Priority.NORMAL): 3}))
    assert tickets.counts(["emoji", "other"]) == {
        ("emoji", Priority.HIGH): 1,
        ("emoji", Priority.NORMAL): 0,
        ("emoji", Priority.LOW): 2,
        ("other", Priority.HIGH): 0,
        ("other", Priority.NORMAL): 3,
        ("other", Priority.LOW): 0,
    }
    tickets.close()


def test_a_ticket_is_empty_fresh_and_forgotten(redis_settings):
    tickets = TicketQueue(redis_settings)
    tickets.send("emoji", Priority.NORMAL, 2)
    connection = connect_rq(redis_settings, name="test")
    ids = open_queue(connection, "emoji", Priority.NORMAL).get_job_ids()
    assert len(set(ids)) == 2
    job = Job.fetch(ids[0], connection=connection, serializer=JSONSerializer)
    assert job.func_name == TICKET_TASK
    assert (job.args, job.kwargs) == ([], {})
    assert (job.timeout, job.ttl, job.result_ttl, job.failure_ttl) == (-1, 3600, 0, 60)
    assert connection.ttl(job.key) > 3500
    connection.close()
    tickets.close()


def test_a_ticket_is_recorded_as_rq_would(redis_settings):
    tickets = TicketQueue(redis_settings)
    tickets.send("emoji", Priority.NORMAL)
    connection = connect_rq(redis_settings, name="test")
    queue = open_queue(connection, "emoji", Priority.NORMAL)
    options = {"job_timeout": -1, "ttl": 3600, "result_ttl": 0, "failure_ttl": 60}
    theirs = queue.enqueue(TICKET_TASK, **options)
    ours, rqs = (connection.hgetall(Job.key_for(id)) for id in queue.get_job_ids())
    assert queue.get_job_ids()[1] == theirs.id
    for record in (ours, rqs):
        for moment in (b"created_at", b"enqueued_at"):
            assert record.pop(moment).endswith(b"Z")
    assert ours == rqs
    assert connection.smembers("rq:queues") == {b"rq:queue:emoji:normal"}
    connection.close()
    tickets.close()


def test_a_dead_server_is_store_unavailable():
    tickets = TicketQueue(RedisSettings(redis_url="redis://127.0.0.1:1/0"))
    with pytest.raises(StoreUnavailable):
        tickets.send("emoji", Priority.NORMAL)
