"""Log lines: one JSON object each, with ids, without what must not be logged."""

import json
import logging
import sys

from shared.logging import JsonFormatter, job_id, request_id


def line(message: str, *args: object, exc_info=None, **extra: object) -> dict:
    record = logging.getLogger("tessera.test").makeRecord(
        "tessera.test", logging.INFO, "file.py", 1, message, args, exc_info, extra=extra
    )
    return json.loads(JsonFormatter("gateway").format(record))


def test_a_line_has_what_a_reader_needs():
    found = line("took %d ms", 5, status=202)
    assert found["message"] == "took 5 ms"
    assert found["level"] == "info"
    assert found["process"] == "gateway"
    assert found["status"] == 202
    assert found["time"].endswith("Z")
    assert "request_id" not in found


def test_ids_come_from_the_context():
    request, job = request_id.set("req_1"), job_id.set("job_1")
    found = line("hello")
    request_id.reset(request)
    job_id.reset(job)
    assert (found["request_id"], found["job_id"]) == ("req_1", "job_1")


def test_an_exception_stays_on_its_line():
    try:
        raise ValueError("no")
    except ValueError:
        found = line("broke", exc_info=sys.exc_info())
    assert "ValueError: no" in found["exception"]


def test_what_libraries_add_for_terminals_is_left_out():
    assert "color_message" not in line("hello", color_message="\x1b[32mhello")
