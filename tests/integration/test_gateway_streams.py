"""Event streams against limits, stopping gateways, and gateways that die."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import httpx2

from api.settings import Settings
from shared.store.events import EventLog
from tessera.local.children import Child, start_child
from tessera.local.ports import free_ports
from tests.harness import wait_until
from tests.integration.conftest import StandIn, running_gateway
from tests.integration.test_gateway_events import events, submit


def test_too_many_streams_are_refused_until_one_ends(gateway_settings: Settings, worker: StandIn):
    narrow = gateway_settings.gateway.model_copy(update={"max_streams_per_tenant": 2})
    with running_gateway(replace(gateway_settings, gateway=narrow)) as gateway:
        client = gateway.client
        job = submit(client)
        url = f"/v1/jobs/{job['id']}/events"
        with ExitStack() as streams:
            readers = [streams.enter_context(events(client, url)) for _ in range(2)]
            for reader in readers:
                reader.next()
            refused = client.get(url)
            assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
            assert int(refused.headers["Retry-After"]) >= 1
            worker.finish()
        # A gateway hears a moment later than its client that a connection was closed.
        wait_until(lambda: '"status":"succeeded"' in client.get(url).text, 30)


def test_a_stopping_gateway_ends_its_streams(gateway_settings: Settings):
    ended = threading.Event()

    def watch(url: str) -> None:
        with httpx2.Client(timeout=30) as client, events(client, url) as reader:
            reader.next()
            watching.set()
            assert reader.rest() == []
        ended.set()

    watching = threading.Event()
    with running_gateway(gateway_settings) as gateway:
        job = submit(gateway.client)
        url = f"{gateway.url}/v1/jobs/{job['id']}/events"
        watcher = threading.Thread(target=watch, args=(url,))
        watcher.start()
        assert watching.wait(30)
    watcher.join(10)
    assert ended.is_set()


def test_comments_keep_a_silent_stream_open(gateway_settings: Settings):
    brisk = gateway_settings.gateway.model_copy(update={"stream_keepalive_seconds": 0.05})
    with running_gateway(replace(gateway_settings, gateway=brisk)) as gateway:
        url = f"/v1/jobs/{submit(gateway.client)['id']}/events"
        with gateway.client.stream("GET", url) as answer:
            comments = (line for line in answer.iter_lines() if line.startswith(":"))
            assert [next(comments)[:6] for _ in range(2)] == [": ping"] * 2
        assert gateway.client.head(url).status_code == 405


@contextmanager
def gateway_process(settings: Settings, directory: Path, name: str) -> Iterator[tuple[Child, str]]:
    """A gateway as a process of its own, and its address."""
    port = free_ports([name])[name]
    storage = settings.storage
    assert storage.s3_secret_access_key is not None
    own = {
        "AUTH": "open",
        "PORT": port,
        "METRICS_PORT": 0,
        "REDIS_URL": settings.redis.redis_url,
        "S3_ENDPOINT_URL": storage.s3_endpoint_url,
        "S3_ACCESS_KEY_ID": storage.s3_access_key_id,
        "S3_SECRET_ACCESS_KEY": storage.s3_secret_access_key.get_secret_value(),
        "MODELS_FILE": settings.models.models_file,
        "LINK_SECRET": "the same for both",
    }
    environment = os.environ | {f"TESSERA_{key}": str(value) for key, value in own.items()}
    command = [sys.executable, "-m", "api"]
    child = start_child(
        name, command, directory / f"{name}.log", environment, directory=Path(__file__).parents[2]
    )
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx2.get(f"{url}/livez", timeout=1).status_code == 200
        except httpx2.TransportError:
            return False

    try:
        child.wait_until(answers, 40)
        yield child, url
    finally:
        child.stop(10)


def test_a_killed_gateways_client_goes_on_at_another(
    gateway_settings: Settings, worker: StandIn, redis_pair, tmp_path: Path
):
    with (
        gateway_process(gateway_settings, tmp_path, "first") as (first, first_url),
        gateway_process(gateway_settings, tmp_path, "second") as (_, second_url),
        httpx2.Client(timeout=30) as client,
    ):
        job = client.post(
            f"{first_url}/v1/jobs", json={"prompt": "a red apple", "num_images": 8}
        ).json()
        seen = []
        claim = worker.claim()
        with events(client, f"{first_url}/v1/jobs/{job['id']}/events") as reader:
            snapshot = reader.next()
            for index in range(3):
                worker.add_image(claim, index)
                seen.append(reader.next())
            os.kill(first.pid, signal.SIGKILL)
            for index in range(3, 6):
                worker.add_image(claim, index)
            with suppress(httpx2.TransportError):
                seen += reader.rest()
        url = f"{second_url}/v1/jobs/{job['id']}/events"
        with events(client, url, **{"Last-Event-ID": seen[-1][0]}) as reader:
            seen.append(reader.next())
            worker.add_image(claim, 6)
            worker.add_image(claim, 7)
            worker.commit(claim)
            seen += reader.rest()
    facts = EventLog(redis_pair).read(job["id"], snapshot[0])
    assert facts is not None
    assert [event_id for event_id, _, _ in seen] == [event.id for event in facts]
    assert [data["index"] for _, kind, data in seen if kind == "image"] == list(range(8))
    assert seen[-1][2]["status"] == "succeeded"
