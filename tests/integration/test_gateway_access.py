"""Who is let in: API keys, tenants that cannot see each other, and open mode's fence."""

import httpx2
import pytest

from api.settings import AuthMode, GatewaySettings
from shared.connections import RedisPair
from shared.store.keyring import Keyring
from tests.integration.conftest import Gateway, StandIn

BODY = {"prompt": "a red apple"}


def test_without_a_good_key_nothing_is_answered(keyed_gateway: Gateway):
    client = keyed_gateway.client
    for header in ("", "Basic dXNlcg==", "Bearer", "Bearer nonsense", "Bearer tsk_" + "0" * 60):
        headers = {"Authorization": header} if header else {}
        answers = [
            client.post("/v1/jobs", json=BODY, headers=headers),
            client.post("/v1/jobs/cancel", json={"ids": ["a"]}, headers=headers),
            client.get("/v1/jobs", headers=headers),
            client.get("/v1/jobs/job_" + "0" * 32, headers=headers),
            client.get("/v1/models", headers=headers),
            client.get("/v1/samplers", headers=headers),
        ]
        assert {answer.status_code for answer in answers} == {401}
        assert answers[0].headers["WWW-Authenticate"].startswith("Bearer")
    assert client.get("/readyz").status_code == 200


def test_a_tenant_sees_its_own_jobs_only(
    keyed_gateway: Gateway, worker: StandIn, api_key: dict[str, str], redis_pair: RedisPair
):
    client = keyed_gateway.client
    job_id = client.post("/v1/jobs", json=BODY, headers=api_key).json()["id"]
    worker.finish()
    _, presented = Keyring(redis_pair.durable).create(
        "rival", ["jobs:read", "jobs:write", "webhooks"]
    )
    rival = {"Authorization": f"Bearer {presented}"}
    path = f"/v1/jobs/{job_id}"
    answers = [
        client.get(path, headers=rival),
        client.post(f"{path}/cancel", headers=rival),
        client.delete(path, headers=rival),
        client.get(f"{path}/events", headers=rival),
        client.get(f"{path}/images/0", headers=rival),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert client.get("/v1/jobs", headers=rival).json()["data"] == []
    cancelled = client.post("/v1/jobs/cancel", json={"ids": [job_id]}, headers=rival)
    assert cancelled.json()["data"] == []
    assert client.get(path, headers=api_key).json()["status"] == "succeeded"


def test_one_idempotency_key_of_two_tenants_is_two_jobs(
    keyed_gateway: Gateway, api_key: dict[str, str], redis_pair: RedisPair
):
    client = keyed_gateway.client
    _, presented = Keyring(redis_pair.durable).create(
        "rival", ["jobs:read", "jobs:write", "webhooks"]
    )
    rival = {"Authorization": f"Bearer {presented}"}
    ids = {
        client.post("/v1/jobs", json=BODY, headers={**who, "Idempotency-Key": "1"}).json()["id"]
        for who in (api_key, rival)
    }
    assert len(ids) == 2


FOREIGN = {
    "rebound name": {"Host": "attacker.example"},
    "rebound name with our port": {"Host": "attacker.example:8080"},
    "address that looks like ours": {"Host": "127.0.0.1.attacker.example"},
    "no name": {"Host": ""},
    "broken": {"Host": "[::1"},
    "page of another site": {"Origin": "https://attacker.example"},
    "page of a file": {"Origin": "null"},
    "page of another local port": {"Origin": "http://127.0.0.1:1"},
    "proxy": {"X-Forwarded-For": "203.0.113.9"},
    "proxy that tells its port": {"X-Forwarded-Port": "443"},
    "standard proxy": {"Forwarded": "for=203.0.113.9"},
    "another proxy": {"Via": "1.1 proxy"},
}


def test_open_mode_answers_to_this_machine_only(gateway: Gateway):
    for name, headers in FOREIGN.items():
        for path in ("/v1/jobs", "/livez", "/openapi.json"):
            answer = gateway.client.get(path, headers=headers)
            assert answer.status_code == 403, name
            assert answer.headers["Content-Type"] == "application/problem+json"
    for host in ("localhost", f"localhost:{gateway.port}", "[::1]:80", "127.0.0.1"):
        assert gateway.client.get("/v1/jobs", headers={"Host": host}).status_code == 200
    own = {"Origin": gateway.url}
    assert gateway.client.get("/v1/jobs", headers=own).status_code == 200


def test_open_mode_listens_on_loopback_only():
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.com"):
        with pytest.raises(ValueError, match="loopback"):
            GatewaySettings(auth=AuthMode.OPEN, host=host)
    assert GatewaySettings(auth=AuthMode.OPEN, host="::1").base_url == "http://[::1]:8080"


def test_keys_are_not_replaced_by_openness(keyed_gateway: Gateway, redis_pair: RedisPair):
    ring = Keyring(redis_pair.durable)
    key, presented = ring.create("acme", ["jobs:read", "jobs:write", "webhooks"])
    ring.revoke(key.id)
    headers = {"Authorization": f"Bearer {presented}"}
    assert keyed_gateway.client.get("/v1/jobs", headers=headers).status_code == 401


def test_a_key_in_the_url_is_no_key(keyed_gateway: Gateway, api_key: dict[str, str]):
    presented = api_key["Authorization"].removeprefix("Bearer ")
    answer: httpx2.Response = keyed_gateway.client.get(f"/v1/jobs?token={presented}")
    assert answer.status_code == 401
