"""Previews and trajectories as clients get them."""

import hashlib

import httpx2

from shared.connections import RedisPair
from shared.ids import attempt_prefix
from shared.job import StoredTrajectory
from shared.store import keys
from tests.harness import wait_until
from tests.integration.conftest import Gateway, StandIn
from tests.integration.test_gateway_events import events, submit

PREVIEW = b"\xff\xd8 not text \xff\xd9"
ANIMATION = b"RIFF not much of a WebP"


def test_the_newest_preview_while_the_job_runs(
    client: httpx2.Client, worker: StandIn, redis_pair: RedisPair
):
    job = submit(client, preview_every=2)
    url = f"/v1/jobs/{job['id']}/preview"
    assert client.get(url).status_code == 404
    claim = worker.claim()
    with events(client, f"/v1/jobs/{job['id']}/events") as reader:
        reader.next()
        channel = keys.events(job["id"])
        # What passes is not kept for whoever listens a moment after the snapshot.
        wait_until(lambda: redis_pair.durable.pubsub_numsub(channel) == [(channel, 1)], 30)
        worker.store.keep_preview(job["id"], PREVIEW, index=0, step=4, steps=10)
        kind, told = reader.next()[1:]
    assert kind == "preview"
    shown = httpx2.get(told.pop("url"))
    assert told == {
        "index": 0,
        "step": 4,
        "steps": 10,
        "content_type": "image/jpeg",
        "bytes": len(PREVIEW),
    }
    assert shown.content == client.get(url).content == PREVIEW
    assert shown.headers["Content-Type"] == "image/jpeg"
    assert shown.headers["Cache-Control"] == "no-store"
    worker.add_image(claim)
    worker.commit(claim)
    assert client.get(url).json()["code"] == "not_found"


def test_the_preview_is_its_tenants(
    keyed_gateway: Gateway, worker: StandIn, api_key: dict[str, str]
):
    client = keyed_gateway.client
    body = {"prompt": "a red apple", "preview_every": 1}
    job, other = (client.post("/v1/jobs", json=body, headers=api_key).json() for _ in range(2))
    worker.store.keep_preview(job["id"], PREVIEW, index=0, step=1, steps=10)
    path = f"/v1/jobs/{job['id']}/preview"
    foreign = other["links"]["preview"].partition("?")[2]
    assert client.get(path).status_code == 401
    assert client.get(f"{path}?{foreign}").status_code == 401
    assert client.get(job["links"]["preview"]).content == PREVIEW
    assert client.get(path, headers=api_key).content == PREVIEW


def test_a_trajectory_beside_its_picture(client: httpx2.Client, worker: StandIn):
    job = submit(client, num_images=2, trajectory=True)
    claim = worker.claim()
    prefix = attempt_prefix(claim.job.tenant, claim.job.id, claim.attempt_id)
    stored = StoredTrajectory(
        key=f"{prefix}0.trajectory.webp",
        width=128,
        height=128,
        format="webp",
        bytes=len(ANIMATION),
        sha256=hashlib.sha256(ANIMATION).hexdigest(),
    )
    worker.objects.put(stored.key, ANIMATION, "image/webp")
    worker.add_image(claim, 0, trajectory=stored)
    worker.add_image(claim, 1)
    worker.commit(claim)
    moving, still = client.get(f"/v1/jobs/{job['id']}").json()["images"]
    assert still["trajectory"] is None
    shown = moving["trajectory"]
    assert httpx2.get(shown["url"]).content == ANIMATION
    assert (shown["format"], shown["sha256"]) == ("webp", stored.sha256)
    path = f"/v1/jobs/{job['id']}/images"
    redirected = client.get(f"{path}/0/trajectory", follow_redirects=True)
    assert redirected.content == ANIMATION
    assert redirected.headers["Content-Type"] == "image/webp"
    assert client.get(f"{path}/1/trajectory").status_code == 404
