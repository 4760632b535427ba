"""Webhooks at the gateway: which are accepted, the key's default, the delivery log."""

import json
from dataclasses import replace

import httpx2
import pytest

from api.settings import AuthMode
from shared.connections import RedisPair
from shared.outbound.settings import OutboundSettings
from shared.settings import JobSettings
from shared.store.deliveries import DeliveryStore, Try, Verdict
from shared.store.keyring import Keyring
from tests.hostile_urls import HOSTILE
from tests.integration.conftest import Gateway, StandIn, running_gateway
from tests.receiver import receiving

URL = "http://127.0.0.1:9/hook"
BODY = {"prompt": "a red apple"}


@pytest.fixture
def gateway_settings(gateway_settings):
    """Loopback is open."""
    return replace(gateway_settings, outbound=OutboundSettings(outbound_allow="127.0.0.0/8:*"))


@pytest.fixture
def deliveries(redis_pair: RedisPair) -> DeliveryStore:
    return DeliveryStore(redis_pair, JobSettings())


def submit(client: httpx2.Client, webhook: object, **options: object) -> dict:
    answer = client.post("/v1/jobs", json=BODY | {"webhook": webhook}, **options)
    assert answer.status_code == 202, answer.text
    return answer.json()


def test_a_job_tells_its_own_facts(
    client: httpx2.Client, worker: StandIn, deliveries: DeliveryStore, gateway: Gateway
):
    events = ["started", "succeeded"]
    job = submit(client, {"url": URL, "events": events})
    assert job["request"]["webhook"] == {"url": URL, "events": events}
    worker.finish()
    bodies = [json.loads(lent.body) for lent in deliveries.claim(10, 60)]
    assert [body["type"] for body in bodies] == ["job.started", "job.succeeded"]
    shown = client.get(f"/v1/jobs/{job['id']}").json()
    told = bodies[1]["data"]
    assert told["links"]["self"] == f"{gateway.url}/v1/jobs/{job['id']}" == shown["links"]["self"]
    assert client.get(told["images"][0]["url"]).status_code == 302
    for facts in (told, shown):
        for image in facts["images"]:
            del image["url"], image["url_expires_at"]
    for name in ("id", "status", "created_at", "started_at", "finished_at", "images", "attempts"):
        assert told[name] == shown[name]
    same = {name: shown["request"][name] for name in told["request"]}
    assert told["request"] == same
    assert {"prompt", "negative_prompt", "webhook"} == shown["request"].keys() - same.keys()


def test_without_events_the_end_is_told(client: httpx2.Client):
    job = submit(client, {"url": URL})
    assert job["request"]["webhook"]["events"] == ["succeeded", "failed", "canceled", "expired"]


@pytest.mark.parametrize(
    "webhook", ["x", {}, {"url": URL, "events": []}, {"url": URL, "events": ["queued"]}]
)
def test_a_wrong_webhook_is_refused(client: httpx2.Client, webhook: object):
    answer = client.post("/v1/jobs", json=BODY | {"webhook": webhook})
    assert answer.status_code == 422


def test_hostile_addresses_are_refused_alike(gateway_settings, deliveries: DeliveryStore):
    closed = replace(gateway_settings, outbound=OutboundSettings())
    answers = set()
    with running_gateway(closed) as gateway, receiving() as canary:
        port = canary.url.rpartition(":")[2]
        for hostile in filter(None, HOSTILE):
            webhook = {"url": hostile.replace("{port}", port)}
            answer = gateway.client.post("/v1/jobs", json=BODY | {"webhook": webhook})
            problem = answer.json()
            answers.add((answer.status_code, problem["code"], json.dumps(problem["errors"])))
            assert hostile not in answer.text
        assert canary.connections == 0
    assert len(answers) == 1
    assert answers.pop()[:2] == (422, "invalid_request")
    assert deliveries.pending() == 0


def test_a_keys_default_is_called_and_the_log_is_the_tenants(
    gateway_settings, redis_pair: RedisPair, worker: StandIn, deliveries: DeliveryStore
):
    keyring = Keyring(redis_pair.durable)
    keyed = gateway_settings.gateway.model_copy(update={"auth": AuthMode.KEYS})
    key, presented = keyring.create(
        "acme", ["jobs:read", "jobs:write", "webhooks"], webhook_url=f"{URL}?key"
    )
    _, other = keyring.create("rival", ["jobs:read", "jobs:write", "webhooks"])
    mine, rival = ({"Authorization": f"Bearer {text}"} for text in (presented, other))
    with running_gateway(replace(gateway_settings, gateway=keyed)) as gateway:
        client = gateway.client
        job = client.post("/v1/jobs", json=BODY, headers=mine).json()
        assert job["request"]["webhook"]["url"] == f"{URL}?key"
        worker.finish()
        (lent,) = deliveries.claim(10, 60)
        assert (lent.owner, lent.url) == (key.id, f"{URL}?key")
        tried = Try(at=1.0, status=500)
        deliveries.settle(lent, Verdict.FAILED, tried, pause_seconds=0, patience_seconds=9)

        query = {"job_id": job["id"]}
        path = "/v1/webhooks/deliveries"
        assert client.get(path, params=query, headers=rival).json()["data"] == []
        (shown,) = client.get(path, params=query, headers=mine).json()["data"]
        assert (shown["status"], shown["tries"][0]["status"]) == ("failed", 500)
        assert (shown["type"], shown["job_id"]) == ("job.succeeded", job["id"])

        undelivered = {"status": "failed"}
        assert client.get(path, params=undelivered, headers=mine).json()["data"] == [shown]
        assert client.get(path, params=undelivered, headers=rival).json()["data"] == []
        for wrong in ({}, query | undelivered, {"status": "pending"}):
            assert client.get(path, params=wrong, headers=mine).status_code == 422

        again = f"{path}/{shown['id']}/redeliver"
        assert client.post(again, headers=rival).status_code == 404
        assert client.post(again).status_code == 401
        assert client.post(f"{path}/msg_none/redeliver", headers=mine).status_code == 404
        assert client.post(again, headers=mine).json()["status"] == "pending"
        assert client.get(path, params=undelivered, headers=mine).json()["data"] == []
        assert deliveries.claim(10, 60)[0].body == lent.body

        enable = "/v1/webhooks/endpoints/enable"
        assert client.post(enable, json={"url": URL}, headers=mine).status_code == 204
        assert client.post(enable, json={"url": "x"}, headers=mine).status_code == 422
        assert client.get(path, headers=mine).status_code == 422
