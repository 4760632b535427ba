"""What gateway, worker and keeper log while they serve: no prompt, key, signature or picture."""

import base64
import re
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2

from shared.connections import RedisPair
from shared.settings import RedisSettings, StorageSettings
from shared.store.api_key import USUAL_SCOPES
from shared.store.keyring import Keyring
from tessera.local.children import start_child
from tessera.local.ports import free_ports
from tests.harness import QUICK, WEBHOOK_SECRET, processes, tiny_models_file, wait_until
from tests.integration.test_gateway_tenants import picture
from tests.receiver import receiving

PROMPT = "a swordfish in a velvet hat"
SECRETS = {
    "prompt": "swordfish",
    "metadata": "customer-4711",
    "idempotency key": "order-0815",
    "unknown field": "opensesame",
    "wrong key": "tsk_0123456789abcdef_" + "w" * 43,
    "webhook's query": "hookquery",
    "webhook secret": WEBHOOK_SECRET,
}


def test_logs_tell_no_secrets(
    redis_pair: RedisPair,
    redis_settings: RedisSettings,
    storage_settings: StorageSettings,
    tmp_path: Path,
):
    models_file = tiny_models_file(tmp_path)
    _, key = Keyring(redis_pair.durable).create("acme", USUAL_SCOPES)
    secrets = {**SECRETS, "key": key.split("_", 2)[2]}
    port = free_ports(["gateway"])["gateway"]
    public = {"s3_public_url": str(storage_settings.s3_endpoint_url), "port": port}
    with (
        receiving() as receiver,
        processes(
            tmp_path,
            redis_pair,
            redis_settings,
            storage_settings,
            models_file,
            auth="keys",
            log_level="DEBUG",
            **public,
        ) as running,
        running.worker(),
        running.keeper(),
    ):
        command = [sys.executable, "-m", "api"]
        root = Path(__file__).parents[2]
        gateway = start_child(
            "gateway", command, tmp_path / "gateway.log", running.environment, directory=root
        )
        try:
            gateway.wait_until(lambda: answers(port), 30)
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                secrets |= use(client, key, f"{receiver.url}?token=hookquery")
            wait_until(lambda: len(receiver.received) >= 1, 30, "the webhook")
        finally:
            gateway.stop(10)
        (webhook, *_) = receiver.received
        secrets["signature"] = webhook.headers["webhook-signature"].partition(",")[2]
    logs = {file.name: file.read_text() for file in tmp_path.glob("*.log")}
    assert {name for name, text in logs.items() if text} >= {
        "gateway.log",
        "keeper.log",
        "worker.log",
    }
    told = {
        (log, name)
        for log, text in logs.items()
        for name, value in secrets.items()
        if value in text
    }
    assert told == set()


def answers(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/readyz", timeout=1).status_code == 200
    except httpx2.TransportError:
        return False


def use(client: httpx2.Client, key: str, webhook: str) -> dict[str, str]:
    """Good and bad requests of many kinds; the secrets that the answers carried."""
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "order-0815"}
    data = base64.b64encode(picture("a picture to begin with")).decode()
    body = {
        "prompt": PROMPT,
        "negative_prompt": "swordfish",
        "metadata": {"who": "customer-4711"},
        "webhook": {"url": webhook},
        "width": 64,
        "height": 64,
        **QUICK,
    }
    submitted = client.post("/v1/jobs", json=body, headers={**headers, "Prefer": "wait=60"})
    job = submitted.json()
    assert (submitted.status_code, job["status"]) == (200, "succeeded")
    link = job["images"][0]["url"]
    assert httpx2.get(link).status_code == 200
    client.get(f"/v1/jobs/{job['id']}/images/0", headers=headers)
    token = re.sub(r".*token=", "", job["links"]["events"])
    client.get(f"/v1/jobs/{job['id']}/events", params={"token": token})
    client.get(f"/v1/jobs/{job['id']}/events", params={"token": SECRETS["wrong key"]})
    authorised = {"Authorization": headers["Authorization"]}
    kept = {"image": {"data": data}, "strength": 0.9}
    assert client.post("/v1/jobs", json=body | kept, headers=authorised).status_code == 202
    for wrong in (
        body | {"opensesame": PROMPT},
        body | {"steps": PROMPT},
        body | {"image": {"url": f"https://127.0.0.1/{PROMPT}"}},
        body | {"prompt": PROMPT + "\x00"},
    ):
        assert client.post("/v1/jobs", json=wrong, headers=authorised).status_code == 422
    json = {"Content-Type": "application/json"}
    client.post("/v1/jobs", content=f'{{"prompt": "{PROMPT}"', headers=authorised | json)
    client.post("/v1/inputs", content=PROMPT, headers={**authorised, "Content-Type": "image/png"})
    client.get("/v1/jobs", headers={"Authorization": f"Bearer {SECRETS['wrong key']}"})
    client.get(f"/{SECRETS['unknown field']}?{SECRETS['unknown field']}")
    return {
        "presigned signature": parse_qs(urlsplit(link).query)["X-Amz-Signature"][0],
        "events token": token,
        "input picture": data[:40],
    }
