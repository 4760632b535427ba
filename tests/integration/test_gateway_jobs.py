"""The life of a job over HTTP: submit, get, list, wait, fetch, cancel, delete."""

import socket
import threading

import httpx2
import pytest

from shared.objects import ObjectStore
from tests.harness import wait_until
from tests.integration.conftest import Gateway, StandIn
from tests.tiny_pictures import PNG

PROMPT = {"prompt": "a red apple"}


def submit(client: httpx2.Client, **fields) -> dict:
    answer = client.post("/v1/jobs", json={**PROMPT, **fields})
    assert answer.status_code == 202, answer.text
    return answer.json()


def test_submit_answers_the_job_at_once(client: httpx2.Client):
    answer = client.post("/v1/jobs", json={**PROMPT, "seed": 7, "metadata": {"order": "12"}})
    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Location"].endswith(f"/v1/jobs/{job['id']}")
    assert answer.headers["X-Request-Id"].startswith("req_")
    assert job["status"] == "queued"
    assert job["request"]["seed"] == 7
    assert job["request"]["metadata"] == {"order": "12"}
    assert job["request"]["schedule"] == "karras"
    assert job["warnings"][0]["code"] == "no_worker"
    assert job["links"]["self"] == answer.headers["Location"]
    assert client.get(f"/v1/jobs/{job['id']}").json()["created_at"] == job["created_at"]


def test_a_ticket_is_sent(gateway: Gateway, client: httpx2.Client, redis_pair):
    submit(client, priority="high")
    # A thread sends it after the answer.
    wait_until(lambda: redis_pair.durable.llen("rq:queue:tiny:high") > 0, 30, "a ticket")
    assert redis_pair.durable.llen("rq:queue:tiny:high") == 1


def test_a_finished_job_tells_its_pictures(client: httpx2.Client, worker: StandIn):
    job_id = submit(client, num_images=2, seed=5)["id"]
    worker.finish()
    job = client.get(f"/v1/jobs/{job_id}").json()
    assert job["status"] == "succeeded"
    assert [image["seed"] for image in job["images"]] == [5, 6]
    assert job["progress"]["fraction"] == 1
    assert job["queue"] is None
    assert httpx2.get(job["images"][0]["url"]).content == PNG
    redirect = client.get(f"/v1/jobs/{job_id}/images/1")
    assert redirect.status_code == 302
    assert httpx2.get(redirect.headers["Location"]).content == PNG
    assert client.get(f"/v1/jobs/{job_id}/images/2").json()["code"] == "not_found"


def test_a_client_that_hangs_up_while_it_waits_cancels_nothing(
    gateway: Gateway, client: httpx2.Client, worker: StandIn
):
    body = b'{"prompt": "a red apple"}'
    with socket.create_connection(("127.0.0.1", gateway.port)) as connection:
        head = (
            "POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Prefer: wait=60\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        wait_until(lambda: bool(client.get("/v1/jobs").json()["data"]), 10)
    (job,) = client.get("/v1/jobs").json()["data"]
    assert job["status"] == "queued"
    worker.finish()
    assert client.get(f"/v1/jobs/{job['id']}").json()["status"] == "succeeded"


def test_listing_pages_newest_first(client: httpx2.Client):
    ids = [submit(client)["id"] for _ in range(5)]
    first = client.get("/v1/jobs?limit=3").json()
    assert first["object"] == "list"
    assert [job["id"] for job in first["data"]] == ids[:1:-1]
    second = client.get("/v1/jobs", params={"limit": 3, "cursor": first["next"]}).json()
    assert [job["id"] for job in second["data"]] == ids[1::-1]
    assert second["next"] is None
    assert client.get("/v1/jobs?status=succeeded").json()["data"] == []


def test_cancel_is_idempotent_and_leaves_ended_jobs(client: httpx2.Client, worker: StandIn):
    queued, running = submit(client)["id"], submit(client)["id"]
    worker.finish()
    for _ in range(2):
        assert client.post(f"/v1/jobs/{running}/cancel").json()["status"] == "canceled"
    assert client.post(f"/v1/jobs/{queued}/cancel").json()["status"] == "succeeded"
    others = [submit(client)["id"] for _ in range(2)]
    ids = [*others, others[0], "job_" + "0" * 32, "nonsense"]
    answer = client.post("/v1/jobs/cancel", json={"ids": ids}).json()
    assert [job["id"] for job in answer["data"]] == others
    assert {job["status"] for job in answer["data"]} == {"canceled"}


def test_delete_removes_record_and_pictures(
    client: httpx2.Client, worker: StandIn, objects: ObjectStore
):
    job_id = submit(client)["id"]
    worker.finish()
    assert objects.list_keys("local/")
    assert client.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert objects.list_keys("local/") == []
    assert client.get(f"/v1/jobs/{job_id}").status_code == 404
    assert client.delete(f"/v1/jobs/{job_id}").status_code == 404


def test_deleting_a_running_job_cancels_it(client: httpx2.Client, worker: StandIn):
    job_id = submit(client)["id"]
    claim = worker.claim()
    assert client.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert claim.attempt_id in worker.store.beat("stand-in", {job_id: claim.attempt_id}).lost
    assert client.get("/v1/jobs").json()["data"] == []


def test_fifty_submits_with_one_key_make_one_job(gateway: Gateway, client: httpx2.Client):
    answers: list[httpx2.Response] = []

    def send() -> None:
        answers.append(
            httpx2.post(
                f"{gateway.url}/v1/jobs",
                json=PROMPT,
                headers={"Idempotency-Key": "order-1"},
                timeout=30,
            )
        )

    threads = [threading.Thread(target=send) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len({answer.json()["request"]["seed"] for answer in answers}) == 1
    replayed = [answer for answer in answers if "Idempotency-Replayed" in answer.headers]
    assert len(replayed) == 49
    other = client.post(
        "/v1/jobs", json={"prompt": "another"}, headers={"Idempotency-Key": "order-1"}
    )
    assert other.status_code == 422
    assert other.json()["code"] == "idempotency_key_reused"


def test_waiting_ends_with_the_job(client: httpx2.Client, worker: StandIn):
    done: list[httpx2.Response] = []

    def wait() -> None:
        done.append(client.post("/v1/jobs", json=PROMPT, headers={"Prefer": "wait=20"}))

    waiter = threading.Thread(target=wait)
    waiter.start()
    finish_when_queued(worker)
    waiter.join()
    assert done[0].status_code == 200
    assert done[0].headers["Preference-Applied"] == "wait=20"
    assert done[0].json()["status"] == "succeeded"


def finish_when_queued(worker: StandIn) -> None:
    while worker.store.lanes() == {}:
        threading.Event().wait(0.01)
    worker.finish()


@pytest.mark.parametrize("wait", ["wait=0", "wait=1"])
def test_waiting_in_vain_answers_202(client: httpx2.Client, wait: str):
    answer = client.post("/v1/jobs", json=PROMPT, headers={"Prefer": wait})
    assert answer.status_code == 202
    assert answer.json()["status"] == "queued"
    assert answer.headers["Preference-Applied"] == wait


def test_one_call_to_a_picture(client: httpx2.Client, worker: StandIn):
    done: list[httpx2.Response] = []
    headers = {"Prefer": "wait=20", "Accept": "image/png"}

    def wait() -> None:
        done.append(client.post("/v1/jobs", json=PROMPT, headers=headers))

    waiter = threading.Thread(target=wait)
    waiter.start()
    finish_when_queued(worker)
    waiter.join()
    assert done[0].status_code == 200
    assert done[0].headers["Content-Type"] == "image/png"
    assert done[0].content == PNG


def test_accept_chooses_the_format_unless_the_body_says_another(client: httpx2.Client):
    headers = {"Prefer": "wait=0", "Accept": "image/webp, image/png"}
    answer = client.post("/v1/jobs", json=PROMPT, headers=headers)
    assert answer.json()["request"]["output"]["format"] == "webp"
    clash = {**PROMPT, "output": {"format": "png"}}
    refused = client.post("/v1/jobs", json=clash, headers=headers)
    assert refused.json()["errors"][0]["code"] == "not_acceptable"


def test_no_picture_is_a_problem(client: httpx2.Client, worker: StandIn):
    done: list[httpx2.Response] = []
    headers = {"Prefer": "wait=20", "Accept": "image/png"}

    def wait() -> None:
        done.append(client.post("/v1/jobs", json=PROMPT, headers=headers))

    waiter = threading.Thread(target=wait)
    waiter.start()
    while worker.store.lanes() == {}:
        threading.Event().wait(0.01)
    worker.fail(worker.claim())
    waiter.join()
    assert done[0].status_code == 500
    assert done[0].json()["code"] == "generation_invalid"


def test_models_and_samplers(client: httpx2.Client):
    models = client.get("/v1/models").json()["data"]
    assert [(model["id"], model["loaded"], model["default"]) for model in models] == [
        ("tiny", False, True)
    ]
    samplers = client.get("/v1/samplers").json()["data"]
    assert "karras" in next(s for s in samplers if s["name"] == "dpmpp_2m")["schedules"]
