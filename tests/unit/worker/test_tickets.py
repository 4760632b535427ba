"""A worker takes its share of the tickets that wait, and waits for one where there is none."""

import threading

import pytest

from shared.queue import is_ticket
from shared.request import Priority
from shared.rq_workers import RegisteredWorker
from worker.tickets import Tickets


@pytest.fixture
def tickets(rq_connection):
    return Tickets(rq_connection, ["tiny", "other"])


def register(rq_connection, tickets, number):
    worker = RegisteredWorker(
        tickets.queues, name=f"tessera-{number}", connection=rq_connection, prepare_for_work=False
    )
    worker.hostname, worker.pid = "here", number
    worker.renew()


def test_lanes_are_served_in_order(tickets, ticket_queue):
    ticket_queue.send("tiny", Priority.LOW)
    ticket_queue.send("other", Priority.NORMAL)
    ticket_queue.send("tiny", Priority.HIGH)
    lanes = [tickets.take(["tiny", "other"], 3)[0].queue.name for _ in range(3)]
    assert lanes == ["tiny:high", "other:normal", "tiny:low"]
    assert tickets.take(["tiny", "other"], 3) == []


def test_one_that_comes_meanwhile_is_taken(tickets, ticket_queue):
    sending = threading.Timer(0.05, ticket_queue.send, ("tiny", Priority.LOW))
    sending.start()
    (taken,) = tickets.take(["tiny"], 3)
    sending.join()
    assert (is_ticket(taken.id), taken.queue.name) == (True, "tiny:low")


def test_one_worker_takes_all_that_it_has_room_for(rq_connection, tickets, ticket_queue):
    register(rq_connection, tickets, 1)
    ticket_queue.send("tiny", Priority.NORMAL, 8)
    assert [len(tickets.take(["tiny"], 5)) for _ in range(2)] == [5, 3]


def test_others_that_listen_get_their_shares(rq_connection, tickets, ticket_queue):
    for number in range(3):
        register(rq_connection, tickets, number)
    ticket_queue.send("tiny", Priority.NORMAL, 8)
    assert [len(tickets.take(["tiny"], 8)) for _ in range(4)] == [3, 2, 1, 1]


def test_only_high_ones_are_taken_where_only_they_may_be(tickets, ticket_queue):
    ticket_queue.send("tiny", Priority.NORMAL, 2)
    ticket_queue.send("tiny", Priority.HIGH, 2)
    taken = [tickets.take_high(["tiny"]) for _ in range(3)]
    assert [len(some) for some in taken] == [1, 1, 0]
