"""One request's way through gateway, worker and keeper is one trace at a real OTLP receiver."""

import json

import httpx2
import pytest

from tests.e2e.running import RunningStack
from tests.harness import wait_until
from tests.receiver import Receiver, receiving
from tests.spans import spans_of, tree

pytestmark = pytest.mark.timeout(300)  # starting a stack takes its time on a busy machine

TRACE, CLIENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
STAGES = {"prepare", "denoise", "decode", "encode", "upload"}
OF_THE_JOB = {"ticket", "claim", "queue", "attempt", "webhook"}


def test_a_request_is_one_trace_through_all_processes(stack: RunningStack, collector: Receiver):
    with receiving() as receiver:
        answer = httpx2.post(
            f"{stack.url}/v1/jobs",
            headers={"traceparent": f"00-{TRACE}-{CLIENT}-01"},
            json={
                "prompt": "a swordfish in a velvet hat",
                "steps": 4,
                "seed": 7,
                "num_images": 2,
                "webhook": {"url": receiver.url, "events": ["succeeded"]},
            },
        )
        job = answer.json()["id"]
        expected = {"POST /v1/jobs", *OF_THE_JOB, *STAGES, "commit"}
        wait_until(
            lambda: {span.name for span in spans_of(collector, TRACE)} >= expected, 60, "all spans"
        )
    spans = spans_of(collector, TRACE)
    print(tree(spans, CLIENT))
    assert {span.name for span in spans} == expected
    by_name = {span.name: span for span in spans}
    submission, attempt = by_name["POST /v1/jobs"], by_name["attempt"]
    assert submission.parent == CLIENT
    for name in OF_THE_JOB:
        assert by_name[name].parent == submission.id
    for span in spans:
        if span.name in {*STAGES, "commit"}:
            assert span.parent == attempt.id
    assert {span.process for span in spans} == {"gateway", "worker", "keeper"}
    assert attempt.attributes["tessera.job_id"] == job
    [webhook] = receiver.received
    assert webhook.headers["traceparent"] == f"00-{TRACE}-{by_name['webhook'].id}-01"

    # Logs are found by the same ids, and neither of them tells what was asked for.
    for process in ("gateway", "worker", "keeper"):
        lines = (stack.data_dir / "logs" / f"{process}.log").read_text().splitlines()
        told = [json.loads(line) for line in lines if TRACE in line]
        assert told
        if process == "gateway":
            assert {"request_id", "job_id", "trace_id"} <= set(told[-1])
            assert told[-1]["job_id"] == job
    assert not any(b"swordfish" in received.body for received in collector.received)


def test_probes_are_not_traced(stack: RunningStack, collector: Receiver):
    trace = TRACE[::-1]
    parent = {"traceparent": f"00-{trace}-{CLIENT}-01"}
    assert httpx2.get(f"{stack.url}/livez", headers=parent).is_success
    assert httpx2.get(f"{stack.url}/v1/samplers", headers=parent).is_success
    wait_until(lambda: bool(spans_of(collector, trace)), 30, "a span")
    assert [span.name for span in spans_of(collector, trace)] == ["GET /v1/samplers"]
