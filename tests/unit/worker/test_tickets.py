"""A worker takes its share of the tickets that wait, and waits for one where there is none."""

import threading

import pytest

from shared.queue import TicketQueue, connect_rq, is_ticket
from shared.request import Priority
from shared.rq_workers import RegisteredWorker
from worker.tickets import Tickets


@pytest.fixture
def connection(redis_settings):
    connection = connect_rq(redis_settings, name="test")
    yield connection
    connection.close()


@pytest.fixture
def sender(redis_settings):
    sender = TicketQueue(redis_settings)
    yield sender
    sender.close()


@pytest.fixture
def tickets(connection):
    return Tickets(connection, ["tiny", "other"])


def register(connection, tickets, number):
    worker = RegisteredWorker(
        tickets.queues, name=f"tessera-{number}", connection=connection, prepare_for_work=False
    )
    worker.hostname, worker.pid = "here", number
    worker.renew()


def test_lanes_are_served_in_order(tickets, sender):
    sender.send("tiny", Priority.LOW)
    sender.send("other", Priority.NORMAL)
    sender.send("tiny", Priority.HIGH)
    lanes = [tickets.take(["tiny", "other"], 3)[0].queue.name for _ in range(3)]
    assert lanes == ["tiny:high", "other:normal", "tiny:low"]
    assert tickets.take(["tiny", "other"], 3) == []


def test_one_that_comes_meanwhile_is_taken(tickets, sender):
    sending = threading.Timer(0.05, sender.send, ("tiny", Priority.LOW))
    sending.start()
    (taken,) = tickets.take(["tiny"], 3)
    sending.join()
    assert (is_ticket(taken.id), taken.queue.name) == (True, "tiny:low")


def test_one_worker_takes_all_that_it_has_room_for(connection, tickets, sender):
    register(connection, tickets, 1)
    sender.send("tiny", Priority.NORMAL, 8)
    assert [len(tickets.take(["tiny"], 5)) for _ in range(2)] == [5, 3]


def test_others_that_listen_get_their_shares(connection, tickets, sender):
    for number in range(3):
        register(connection, tickets, number)
    sender.send("tiny", Priority.NORMAL, 8)
    assert [len(tickets.take(["tiny"], 8)) for _ in range(4)] == [3, 2, 1, 1]


def test_only_high_ones_are_taken_where_only_they_may_be(tickets, sender):
    sender.send("tiny", Priority.NORMAL, 2)
    sender.send("tiny", Priority.HIGH, 2)
    taken = [tickets.take_high(["tiny"]) for _ in range(3)]
    assert [len(some) for some in taken] == [1, 1, 0]
