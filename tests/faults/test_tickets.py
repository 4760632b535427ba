"""Tickets are hints: lost ones are replaced, repeated ones are harmless."""

import pytest

from shared.job import JobStatus
from shared.request import Priority
from tests.faults.conftest import Line
from tests.harness import wait_until

JOBS = 300


@pytest.mark.timeout(400)
def test_every_tenth_ticket_is_lost_and_every_seventh_comes_twice(line: Line) -> None:
    running = line.processes
    sent = [0 if n % 10 == 0 else 2 if n % 7 == 0 else 1 for n in range(JOBS)]
    ids = []
    for tickets in sent:
        ids += running.submit(1, tickets=tickets, steps=2, guidance_scale=1.0)
    running.wait_for(ids, JobStatus.SUCCEEDED, 300)
    assert {job.attempts for job in running.jobs(ids)} == {1}
    running.check_invariants(ids)
    wait_until(lambda: not any(running.tickets.counts(["tiny"]).values()), 30, "no ticket left")


def test_no_ticket_at_all(line: Line) -> None:
    running = line.processes
    ids = running.submit(3, tickets=0)
    ids += running.submit(1, tickets=0, priority=Priority.HIGH)
    running.wait_for(ids, JobStatus.SUCCEEDED, 60)
    running.check_invariants(ids)
