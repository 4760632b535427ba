"""Networks that are slow, silent or cut: each job ends once, by the attempt that began it."""

from collections.abc import Sequence

import pytest

from shared.job import JobStatus
from tests.faults.conftest import Line
from tests.harness import wait_until

# Longer than a lease, so that beats count.
LONG = {"steps": 150, "guidance_scale": 1.0, "num_images": 2}


def under_way(line: Line, ids: Sequence[str]) -> bool:
    """Whether one of them is in mid-sampling; the others may be done or wait."""
    jobs = line.processes.jobs(ids)
    return any(job.status is JobStatus.RUNNING and job.progress.step > 1 for job in jobs)


def assert_done_at_once(line: Line, ids: Sequence[str]) -> None:
    """By one attempt each, whatever the network did to it."""
    running = line.processes
    running.wait_for(ids, JobStatus.SUCCEEDED, 100)
    assert {job.attempts for job in running.jobs(ids)} == {1}
    running.check_invariants(ids)


def await_trouble(line: Line) -> None:
    """Until the worker says that Redis does not do what it should."""

    def told() -> int:
        return line.worker.log.read_text().count("the job store ")

    before = told()
    wait_until(lambda: told() > before, 30, "a call that fails")


def test_redis_answers_late(line: Line) -> None:
    ids = line.processes.submit(4, **LONG)
    wait_until(lambda: under_way(line, ids), 60, "sampling")
    line.redis.latency_seconds = 0.3
    try:
        assert_done_at_once(line, ids)
    finally:
        line.redis.latency_seconds = 0.0


def test_redis_falls_silent_and_forgets_its_scripts(line: Line) -> None:
    ids = line.processes.submit(2, **LONG)
    wait_until(lambda: under_way(line, ids), 60, "sampling")
    with line.redis.black_hole():
        await_trouble(line)
    line.processes.redis.durable.script_flush()
    assert_done_at_once(line, ids)


def test_redis_takes_no_writes_while_it_fails_over(line: Line) -> None:
    ids = line.processes.submit(2, **LONG)
    wait_until(lambda: under_way(line, ids), 60, "sampling")
    line.processes.redis.durable.replicaof("127.0.0.1", "9")
    try:
        await_trouble(line)
    finally:
        line.processes.redis.durable.replicaof("NO", "ONE")
    assert_done_at_once(line, ids)


@pytest.mark.parametrize("told", [b'"sha256"', b'"total_ms"'], ids=["picture", "commit"])
def test_the_answer_to_a_write_is_lost(line: Line, told: bytes) -> None:
    before = line.redis.cut
    line.redis.cut_reply_to(told)
    ids = line.processes.submit(2)
    assert_done_at_once(line, ids)
    assert line.redis.cut == before + 1


def test_s3_is_slow_and_cuts_an_upload_in_the_middle(line: Line) -> None:
    line.s3.cut_request(b"PUT ")
    line.s3.latency_seconds = 0.3
    try:
        ids = line.processes.submit(2, num_images=2)
        assert_done_at_once(line, ids)
        assert line.s3.cut == 1
    finally:
        line.s3.latency_seconds = 0.0
