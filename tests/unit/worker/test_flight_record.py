"""The flight record tells, after the process' death, which jobs it had in its hands."""

import os

from worker.flight_record import FlightRecord


def test_only_jobs_in_hands_are_blamed():
    record = FlightRecord(slots=3)
    with record.aboard("prepared"), record.aboard("stepped"), record.aboard("idle"):
        with record.in_hands("prepared"):
            record.launched(["stepped"])
            assert record.blamed() == {"prepared", "stepped"}
        record.landed(["stepped"])
        assert record.blamed() == frozenset()


def test_a_job_in_two_ticks_is_blamed_until_both_have_landed():
    record = FlightRecord(slots=1)
    with record.aboard("job"):
        record.launched(["job"])
        record.launched(["job"])
        record.landed(["job"])
        assert record.blamed() == {"job"}
        record.landed(["job"])
        assert record.blamed() == frozenset()


def test_a_cell_is_empty_for_its_next_job():
    record = FlightRecord(slots=1)
    with record.aboard("first"):
        record.launched(["first"])
    record.landed(["first"])
    with record.aboard("second"):
        assert record.blamed() == frozenset()


def test_a_frozen_record_keeps_the_blame():
    record = FlightRecord(slots=1)
    with record.aboard("job"):
        record.launched(["job"])
        record.freeze()
        record.landed(["job"])
    assert record.blamed() == {"job"}


def test_the_parent_reads_what_a_dead_child_wrote():
    record = FlightRecord(slots=2)
    child = os.fork()
    if not child:
        with record.aboard("job"):
            record.launched(["job"])
            os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    assert record.blamed() == {"job"}
