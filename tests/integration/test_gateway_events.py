"""Server-Sent Events: snapshot, facts in order, resuming, tokens, the end."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

from shared.job import Progress
from tests.harness import wait_until
from tests.integration.conftest import Gateway, StandIn


class Reader:
    """One connection to a job's events."""

    def __init__(self, source: httpx2.EventSource) -> None:
        self._events = iter(source)

    def next(self) -> tuple[str, str, dict]:
        """Id, type and data of the next event."""
        event = next(self._events)
        return event.id, event.event, json.loads(event.data)

    def rest(self) -> list[tuple[str, str, dict]]:
        """Everything up to the end."""
        return [(event.id, event.event, json.loads(event.data)) for event in self._events]


@contextmanager
def events(client: httpx2.Client, url: str, **headers: str) -> Iterator[Reader]:
    with client.sse(url, headers=headers) as source:
        yield Reader(source)


def submit(client: httpx2.Client, **fields) -> dict:
    return client.post("/v1/jobs", json={"prompt": "a red apple", **fields}).json()


def test_a_stream_from_queued_to_the_picture(client: httpx2.Client, worker: StandIn):
    job = submit(client)
    with events(client, f"/v1/jobs/{job['id']}/events") as reader:
        last_id, kind, snapshot = reader.next()
        assert (kind, snapshot["id"], snapshot["status"]) == ("status", job["id"], "queued")
        claim = worker.claim()
        assert reader.next()[2] == {"status": "running", "attempts": 1}
        worker.store.report_progress({job["id"]: Progress(step=5, steps=10)})
        assert reader.next()[1:] == (
            "progress",
            {"step": 5, "steps": 10, "fraction": 0.5, "images_done": 0},
        )
        worker.add_image(claim)
        image = reader.next()
        assert image[1] == "image"
        assert "key" not in image[2]
        assert httpx2.get(image[2]["url"]).status_code == 200
        worker.commit(claim)
        rest = reader.rest()
        assert [event[2]["status"] for event in rest] == ["succeeded"]
        assert rest[-1][0] > last_id


def test_resuming_gives_exactly_the_missing_events(client: httpx2.Client, worker: StandIn):
    job = submit(client, num_images=3)
    with events(client, f"/v1/jobs/{job['id']}/events") as reader:
        first_id = reader.next()[0]
    worker.finish()
    url = f"/v1/jobs/{job['id']}/events"
    with events(client, url, **{"Last-Event-ID": first_id}) as reader:
        missed = reader.rest()
    assert [kind for _, kind, _ in missed] == ["status", "image", "image", "image", "status"]
    assert [data["index"] for _, kind, data in missed if kind == "image"] == [0, 1, 2]
    with events(client, url, **{"Last-Event-ID": missed[2][0]}) as reader:
        assert [event[0] for event in reader.rest()] == [event[0] for event in missed[3:]]
    over = client.get(url, headers={"Last-Event-ID": missed[-1][0]})
    assert over.status_code == 204


def test_an_unknown_id_gets_a_snapshot(client: httpx2.Client, worker: StandIn):
    job = submit(client)
    worker.finish()
    for strange in ("1-0", "nonsense", "0", "99999999999999-0"):
        with events(client, f"/v1/jobs/{job['id']}/events", **{"Last-Event-ID": strange}) as reader:
            only = reader.rest()
        assert [(kind, data["status"]) for _, kind, data in only] == [("status", "succeeded")]


def test_the_events_link_needs_no_key(
    keyed_gateway: Gateway, worker: StandIn, api_key: dict[str, str]
):
    client = keyed_gateway.client
    body = {"prompt": "a red apple"}
    job, other = (client.post("/v1/jobs", json=body, headers=api_key).json() for _ in range(2))
    assert client.get(f"/v1/jobs/{job['id']}/events").status_code == 401
    token = job["links"]["events"].partition("?")[2]
    assert client.get(f"/v1/jobs/{other['id']}/events?{token}").status_code == 401
    assert client.get(f"/v1/jobs/{job['id']}?{token}").status_code == 401
    worker.finish()
    with events(client, job["links"]["events"]) as reader:
        assert [data["status"] for _, _, data in reader.rest()] == ["succeeded"]


def test_deleting_the_job_ends_its_streams(client: httpx2.Client):
    job = submit(client)
    with events(client, f"/v1/jobs/{job['id']}/events") as reader:
        reader.next()
        client.delete(f"/v1/jobs/{job['id']}")
        assert all(data.get("status") == "canceled" for _, _, data in reader.rest())


def test_many_watchers_and_one_subscription(gateway: Gateway, worker: StandIn, redis_pair):
    client = gateway.client
    job = submit(client)
    ended: list[str] = []

    def watch() -> None:
        with (
            httpx2.Client(base_url=gateway.url, timeout=30) as own,
            events(own, f"/v1/jobs/{job['id']}/events") as reader,
        ):
            ended.append(reader.rest()[-1][2]["status"])

    watchers = [threading.Thread(target=watch) for _ in range(30)]
    for watcher in watchers:
        watcher.start()
    channel = f"tessera:events:{job['id']}"
    wait_until(lambda: redis_pair.durable.pubsub_numsub(channel) != [(channel, 0)], 30)
    assert redis_pair.durable.pubsub_numsub(channel) == [(channel, 1)]
    worker.finish()
    for watcher in watchers:
        watcher.join()
    assert ended == ["succeeded"] * 30
