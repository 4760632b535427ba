"""What others need: health, metrics, OpenAPI, and quickness while many wait."""

import threading

import httpx2
from prometheus_client import generate_latest

from api.settings import Settings
from tests.harness import wait_until
from tests.integration.conftest import STOP_SECONDS, Gateway, StandIn, running_gateway

BODY = {"prompt": "a red apple"}


def test_ready(client: httpx2.Client):
    assert client.get("/livez").json() == {"status": "ok"}
    assert client.head("/livez").status_code == client.head("/readyz").status_code == 200
    assert client.get("/readyz").json() == {"status": "ok"}


def test_sixty_waiters_hold_nobody_up(gateway: Gateway, worker: StandIn):
    answers: list[int] = []

    def wait() -> None:
        answer = httpx2.post(
            f"{gateway.url}/v1/jobs", json=BODY, headers={"Prefer": "wait=60"}, timeout=60
        )
        answers.append(answer.status_code)

    waiters = [threading.Thread(target=wait) for _ in range(60)]
    for waiter in waiters:
        waiter.start()
    while sum(lane.jobs for lane in worker.store.lanes().values()) < 60:
        threading.Event().wait(0.02)
    # Sixty waiters in forty threads would leave no thread for these, which need one each.
    assert gateway.client.get("/livez").status_code == 200
    assert gateway.client.get("/v1/jobs").status_code == 200
    for _ in range(60):
        worker.finish()
    for waiter in waiters:
        waiter.join()
    assert answers == [200] * 60


def test_stopping_ends_waiters_and_streams(gateway_settings: Settings):
    # They end by themselves: the drain would last longer than the gateway may take to stop.
    with running_gateway(gateway_settings, drain_seconds=10 * STOP_SECONDS) as gateway:
        statuses: list[int] = []

        def wait() -> None:
            answer = httpx2.post(
                f"{gateway.url}/v1/jobs", json=BODY, headers={"Prefer": "wait=60"}, timeout=60
            )
            statuses.append(answer.status_code)

        def watch() -> None:
            job = gateway.client.post("/v1/jobs", json=BODY).json()
            with (
                httpx2.Client(base_url=gateway.url, timeout=60) as own,
                own.sse(f"/v1/jobs/{job['id']}/events") as source,
            ):
                for _ in source:
                    watching.set()
                statuses.append(source.response.status_code)

        watching = threading.Event()
        others = [threading.Thread(target=wait), threading.Thread(target=watch)]
        for other in others:
            other.start()
        assert watching.wait(20)
        store = gateway.app.state.services.store
        while sum(lane.jobs for lane in store.lanes().values()) < 2:
            threading.Event().wait(0.01)
    for other in others:
        other.join()
    assert sorted(statuses) == [200, 202]


def test_metrics(gateway: Gateway, client: httpx2.Client):
    client.post("/v1/jobs", json=BODY)
    client.get("/v1/jobs/nonsense")
    client.get("/nowhere")
    registry = gateway.app.state.services.metrics.registry
    last = 'handler="none",method="any",status="4xx"'
    # An exchange is counted when it is over, a moment after its answer was sent.
    wait_until(lambda: last in generate_latest(registry).decode(), 10, "counted")
    text = generate_latest(registry).decode()
    assert 'tessera_jobs_submitted_total{model="tiny",priority="normal"} 1.0' in text
    assert 'handler="/v1/jobs/{job_id}",method="GET",status="4xx"' in text
    assert "tessera_build_info" in text
    assert client.get("/metrics").status_code == 404, "they have a port of their own"


def test_openapi_has_an_example_for_every_call(client: httpx2.Client):
    document = client.get("/openapi.json").json()
    for path, calls in document["paths"].items():
        for method, call in calls.items():
            answers = [answer for code, answer in call["responses"].items() if code < "300"]
            assert answers, (path, method)
            for answer in answers:
                for kind, content in answer.get("content", {}).items():
                    assert kind.startswith("image/") or content.get("example"), (path, method)
            for kind, content in call.get("requestBody", {}).get("content", {}).items():
                assert kind != "application/json" or content["example"], (path, method)
            problem = call["responses"].get("default", {}).get("content", {})
            assert set(problem) <= {"application/problem+json"}, (path, method)
    assert document["components"]["schemas"]["JobBody"]["properties"]["seed"]
    submitted = document["paths"]["/v1/jobs"]["post"]["requestBody"]
    example = submitted["content"]["application/json"]["example"]
    assert client.post("/v1/jobs", json=example).status_code == 202
