"""Two keys of two tenants over every call: neither sees, ends, fetches or replays the other's."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import pytest
from PIL import Image

from api.settings import AuthMode, Settings
from shared.connections import RedisPair
from shared.outbound.settings import OutboundSettings
from shared.settings import JobSettings
from shared.store.api_key import USUAL_SCOPES, Scope
from shared.store.deliveries import DeliveryStore
from shared.store.keyring import Keyring
from tests.integration.conftest import Gateway, StandIn, running_gateway

BODY: dict[str, Any] = {"prompt": "a red apple", "webhook": {"url": "http://127.0.0.1:9/hook"}}

# What needs no key, or tells everybody the same.
SHARED = {"/livez", "/readyz", "/problems/{code}", "/v1/models", "/v1/samplers"}


@dataclass(frozen=True)
class Tenant:
    """A tenant at the gateway: its key, one finished job, one input, one delivery."""

    headers: dict[str, str]
    job: dict[str, Any]
    input_id: str
    delivery_id: str

    def fill(self, path: str) -> str:
        """The path of one of this tenant's things."""
        own = {
            "job_id": self.job["id"],
            "index": "0",
            "input_id": self.input_id,
            "delivery_id": self.delivery_id,
        }
        return re.sub(r"\{(\w+)\}", lambda match: own[match[1]], path)


@pytest.fixture
def gateway(gateway_settings: Settings) -> Iterator[Gateway]:
    """A gateway with keys, whose webhooks may go to this machine."""
    keyed = gateway_settings.gateway.model_copy(update={"auth": AuthMode.KEYS})
    open_range = OutboundSettings.model_validate({"outbound_allow": "127.0.0.0/8:*"})
    with running_gateway(replace(gateway_settings, gateway=keyed, outbound=open_range)) as running:
        yield running


def key_of(redis_pair: RedisPair, tenant: str, *scopes: Scope) -> dict[str, str]:
    _, presented = Keyring(redis_pair.durable).create(tenant, scopes or USUAL_SCOPES)
    return {"Authorization": f"Bearer {presented}"}


def picture(text: str) -> bytes:
    """A picture of its own for each text: equal bytes would have equal ids."""
    file = io.BytesIO()
    Image.frombytes("L", (len(text), 1), text.encode()).save(file, "PNG")
    return file.getvalue()


def settle(client: httpx2.Client, redis_pair: RedisPair, worker: StandIn, tenant: str) -> Tenant:
    headers = key_of(redis_pair, tenant)
    kept = {**headers, "Idempotency-Key": "once"}
    job = client.post("/v1/jobs", json=BODY, headers=kept).json()
    worker.finish()
    kind = {"Content-Type": "image/png"}
    sent = client.post("/v1/inputs", content=picture(tenant), headers={**headers, **kind})
    (lent,) = DeliveryStore(redis_pair, JobSettings()).claim(1, 60)
    return Tenant(headers, job, sent.json()["id"], lent.id)


def test_neither_reaches_what_is_the_others(
    gateway: Gateway, redis_pair: RedisPair, worker: StandIn
):
    client = gateway.client
    ada, bob = (settle(client, redis_pair, worker, name) for name in ("ada", "bob"))
    operations = [
        (method.upper(), path)
        for path, item in client.get("/openapi.json").json()["paths"].items()
        for method in item
        if path not in SHARED
    ]
    assert len(operations) > 10
    bodies = {"/v1/jobs": BODY, "/v1/jobs/cancel": {"ids": [ada.job["id"]]}}
    bodies["/v1/webhooks/endpoints/enable"] = {"url": BODY["webhook"]["url"]}
    query = {"/v1/webhooks/deliveries": {"job_id": ada.job["id"]}}

    def ask(method: str, path: str, who: dict[str, str]) -> httpx2.Response:
        headers, content = dict(who), None
        if path == "/v1/inputs":
            headers["Content-Type"], content = "image/png", picture("new")
        if path == "/v1/jobs" and method == "POST":
            headers["Idempotency-Key"] = "once"
        return client.request(
            method,
            ada.fill(path),
            headers=headers,
            params=query.get(path),
            json=bodies.get(path) if method == "POST" else None,
            content=content,
        )

    for method, path in operations:
        assert ask(method, path, {}).status_code == 401, path
        answer = ask(method, path, bob.headers)
        assert ada.job["id"] not in answer.text, path
        if "{" in path:
            assert answer.status_code == 404, path
        elif (method == "GET" and path != "/v1/jobs") or path == "/v1/jobs/cancel":
            assert answer.json()["data"] == [], path
    replayed = ask("POST", "/v1/jobs", bob.headers)
    assert replayed.json()["id"] == bob.job["id"]

    token = re.sub(r".*token=", "", bob.job["links"]["events"])
    events = client.get(f"/v1/jobs/{ada.job['id']}/events", params={"token": token})
    assert events.status_code == 401

    now = client.get(f"/v1/jobs/{ada.job['id']}", headers=ada.headers).json()
    assert now["status"] == "succeeded"
    assert ask("GET", "/v1/jobs/{job_id}/images/{index}", ada.headers).status_code == 302


# What each scope opens; every other call answers 403.
CALLS = {
    ("POST", "/v1/jobs"): Scope.JOBS_WRITE,
    ("POST", "/v1/jobs/cancel"): Scope.JOBS_WRITE,
    ("POST", "/v1/jobs/x/cancel"): Scope.JOBS_WRITE,
    ("DELETE", "/v1/jobs/x"): Scope.JOBS_WRITE,
    ("POST", "/v1/inputs"): Scope.JOBS_WRITE,
    ("GET", "/v1/jobs"): Scope.JOBS_READ,
    ("GET", "/v1/jobs/x"): Scope.JOBS_READ,
    ("GET", "/v1/jobs/x/events"): Scope.JOBS_READ,
    ("GET", "/v1/jobs/x/images/0"): Scope.JOBS_READ,
    ("GET", "/v1/inputs/x"): Scope.JOBS_READ,
    ("GET", "/v1/webhooks/deliveries?job_id=x"): Scope.WEBHOOKS,
    ("POST", "/v1/webhooks/deliveries/x/redeliver"): Scope.WEBHOOKS,
    ("POST", "/v1/webhooks/endpoints/enable"): Scope.WEBHOOKS,
}


@pytest.mark.parametrize("scope", Scope)
def test_a_key_does_what_its_scope_says(gateway: Gateway, redis_pair: RedisPair, scope: Scope):
    headers = key_of(redis_pair, "ada", scope)
    opened = set()
    for method, path in CALLS:
        answer = gateway.client.request(method, path, headers=headers)
        if answer.status_code != 403:
            opened.add((method, path))
        else:
            assert answer.json()["code"] == "forbidden"
    assert opened == {call for call, needed in CALLS.items() if scope in (needed, Scope.ADMIN)}
    assert gateway.client.get("/v1/models", headers=headers).status_code == 200


def test_wrong_keys_make_their_address_wait_but_not_a_key_that_was_good(
    gateway: Gateway, redis_pair: RedisPair
):
    good, other = (key_of(redis_pair, "ada") for _ in range(2))
    client = gateway.client
    assert client.get("/v1/jobs", headers=good).status_code == 200
    statuses = [
        client.get("/v1/jobs", headers={"Authorization": f"Bearer tsk_{number}"}).status_code
        for number in range(25)
    ]
    assert set(statuses[:20]) == {401}
    assert statuses[-1] == 429
    refused = client.get("/v1/jobs", headers=other)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert int(refused.headers["Retry-After"]) >= 1
    assert client.get("/v1/jobs", headers=good).status_code == 200


def test_a_limit_is_told_with_every_submission(gateway: Gateway, redis_pair: RedisPair):
    keyring = Keyring(redis_pair.durable)
    _, presented = keyring.create("ada", USUAL_SCOPES, cost_per_second=0.01, cost_burst=1)
    headers = {"Authorization": f"Bearer {presented}"}
    first = gateway.client.post("/v1/jobs", json=BODY, headers=headers)
    assert first.status_code == 202
    assert first.headers["RateLimit-Policy"] == '"cost";q=1;w=100;qu="cost"'
    told = re.fullmatch(r'"cost";r=(\d+);t=(\d+)', first.headers["RateLimit"])
    assert told
    second = gateway.client.post("/v1/jobs", json={**BODY, "steps": 50}, headers=headers)
    assert (second.status_code, second.json()["code"]) == (429, "rate_limited")
    assert second.headers["RateLimit"].startswith('"cost";r=')
    assert int(second.headers["Retry-After"]) > 1
    other = key_of(redis_pair, "ada")
    free = gateway.client.post("/v1/jobs", json=BODY, headers=other)
    assert "RateLimit" not in free.headers
