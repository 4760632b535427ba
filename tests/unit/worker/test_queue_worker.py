"""Tickets become attempts; what is no ticket of ours is refused, and slots are respected."""

import threading

import pytest
from rq import Queue

from shared.job import JobStatus
from shared.queue import open_queue
from shared.request import Priority
from tests.harness import wait_until
from worker.attempts import Attempts
from worker.claimable import ClaimableModels
from worker.queue_worker import QueueWorker

WORKER_ID = "tessera-test-1"
HIGH_SLOTS = 1


class Work:
    """Holds every attempt until it is let go."""

    def __init__(self):
        self.begun = []
        self.go = threading.Event()

    def __call__(self, attempt):
        self.begun.append(attempt)
        assert self.go.wait(30)


@pytest.fixture
def work():
    return Work()


@pytest.fixture
def attempts():
    return Attempts(3, lambda job_id: None)


@pytest.fixture
def models():
    return ClaimableModels(["tiny"])


@pytest.fixture
def queue_worker(store, rq_connection, attempts, work, models):
    """Runs on a thread; a process of ours has it on the main thread."""
    worker = QueueWorker(
        WORKER_ID,
        models,
        ["tiny", "other"],
        HIGH_SLOTS,
        rq_connection,
        store,
        attempts,
        work,
        lambda: True,
    )
    thread = threading.Thread(target=worker.run)
    worker.ledger.start()
    thread.start()
    yield worker
    work.go.set()
    worker.request_stop()
    thread.join(30)
    assert not thread.is_alive()
    assert attempts.wait_until_empty(10)
    worker.ledger.close(10)


def keys_of_jobs(rq_connection):
    return rq_connection.keys("rq:*job*") + rq_connection.keys("rq:execution*")


def test_a_ticket_lets_a_job_be_claimed(
    queue_worker, work, submit, store, ticket_queue, rq_connection
):
    job_id = submit()
    ticket_queue.send("tiny", Priority.NORMAL)
    wait_until(lambda: len(work.begun) == 1, 10)
    assert work.begun[0].job.id == job_id
    assert store.get(job_id).status is JobStatus.RUNNING
    wait_until(lambda: rq_connection.zcard("rq:wip:tiny:normal") == 1, 10)
    work.go.set()
    wait_until(lambda: not keys_of_jobs(rq_connection), 10, "RQ's books closed")
    assert rq_connection.zcard("rq:wip:tiny:normal") == 0


def test_jobs_that_are_soon_over_are_counted_in_rq_s_books(
    queue_worker, work, submit, ticket_queue, rq_connection
):
    work.go.set()
    for _ in range(2):
        submit()
    ticket_queue.send("tiny", Priority.NORMAL, 3)
    wait_until(lambda: len(work.begun) == 2, 10)
    wait_until(lambda: not keys_of_jobs(rq_connection), 10, "RQ's books closed")
    assert rq_connection.hget(f"rq:worker:{WORKER_ID}", "successful_job_count") == b"2"


def test_stale_tickets_are_used_up(queue_worker, work, ticket_queue, rq_connection):
    ticket_queue.send("tiny", Priority.LOW, 3)
    wait_until(lambda: not keys_of_jobs(rq_connection), 10)
    assert work.begun == []


def test_a_foreign_task_is_not_even_imported(queue_worker, work, submit, rq_connection, tmp_path):
    submit()
    canary = tmp_path / "canary"
    queue = open_queue(rq_connection, "tiny", Priority.NORMAL)
    queue.enqueue("os.mkdir", str(canary), result_ttl=0)
    Queue(queue.name, connection=rq_connection).enqueue("os.mkdir", str(canary))  # pickled
    wait_until(lambda: queue.count == 0, 10)
    wait_until(lambda: not rq_connection.keys("rq:job:*"), 10, "refused tasks deleted")
    assert work.begun == []
    assert not canary.exists()


def test_the_last_slots_are_for_high_priority(queue_worker, work, submit, ticket_queue, attempts):
    for _ in range(3):
        submit()
    ticket_queue.send("tiny", Priority.NORMAL, 3)
    wait_until(lambda: len(work.begun) == 2, 10)
    urgent = submit(priority=Priority.HIGH)
    ticket_queue.send("tiny", Priority.HIGH)
    wait_until(lambda: len(work.begun) == 3, 10)
    assert work.begun[2].job.id == urgent
    assert attempts.free == 0
    work.go.set()
    wait_until(lambda: len(work.begun) == 4, 10, "the third ordinary job")


def test_models_that_come_and_go_are_followed(queue_worker, work, submit, ticket_queue, models):
    models.add("other")
    second = submit(model="other")
    ticket_queue.send("other", Priority.NORMAL)
    wait_until(lambda: len(work.begun) == 1, 10, "the newcomer's job")
    assert work.begun[0].job.id == second
    models.withdraw("tiny")
    submit()
    ticket_queue.send("tiny", Priority.NORMAL)
    third = submit(model="other")
    ticket_queue.send("other", Priority.NORMAL)
    wait_until(lambda: len(work.begun) == 2, 10, "the newcomer's second job")
    assert work.begun[1].job.id == third


def test_an_unhealthy_worker_takes_nothing(
    store, rq_connection, attempts, work, submit, ticket_queue, models
):
    submit()
    ticket_queue.send("tiny", Priority.NORMAL)
    worker = QueueWorker(
        WORKER_ID,
        models,
        ["tiny", "other"],
        HIGH_SLOTS,
        rq_connection,
        store,
        attempts,
        work,
        lambda: False,
    )
    worker.run()
    assert work.begun == []
