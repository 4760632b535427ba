"""Input pictures behind links: fetched, refused where a link leads inwards, cut off when slow."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest

from api.picture_check import MAX_PICTURE_BYTES
from shared.ids import input_id_of
from shared.outbound.settings import OutboundSettings
from shared.store.keys import INPUTS
from tests.hostile_urls import HOSTILE
from tests.integration.conftest import running_gateway
from tests.picture_files import picture
from tests.receiver import receiving


def submit(client: httpx2.Client, **fields) -> httpx2.Response:
    return client.post("/v1/jobs", json={"prompt": "a red apple", **fields})


def errors(answer: httpx2.Response) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {error["field"]: error["code"] for error in answer.json()["errors"]}


class PictureServer(ThreadingHTTPServer):
    """Answers each path with what the test put there, and counts the requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: PictureServer

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        status, headers, body = self.server.answers[self.path]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[PictureServer]:
    with PictureServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def shop() -> Iterator[PictureServer]:
    """A server that the gateway may dial."""
    with serving() as server:
        yield server


@pytest.fixture
def dialling(gateway_settings, shop) -> Iterator[httpx2.Client]:
    """A client of a gateway that may dial the shop and nothing else on loopback."""
    allow = f"127.0.0.1/32:{shop.server_address[1]}"
    opened = replace(gateway_settings, outbound=OutboundSettings(outbound_allow=allow))
    with running_gateway(opened) as gateway:
        yield gateway.client


def test_a_job_names_a_picture_by_its_url(dialling, shop):
    sent = picture(72, 72)
    shop.answers["/photo"] = (302, {"Location": "/there"}, b"")
    shop.answers["/there"] = (200, {"Content-Type": "text/plain"}, sent)
    key = {"Idempotency-Key": "once"}
    named = {"url": f"{shop.url}/photo"}
    body = {"prompt": "a", "image": named, "controls": [{"type": "canny", "image": named}]}
    answer = dialling.post("/v1/jobs", json=body, headers=key)
    assert answer.status_code == 202, answer.text
    assert answer.json()["request"]["image"]["id"] == input_id_of(sent)
    assert shop.asked == ["/photo", "/there"]
    # Neither a replay nor another body under the same key fetches again.
    again = dialling.post("/v1/jobs", json=body, headers=key)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json()["id"] == answer.json()["id"]
    other = dialling.post("/v1/jobs", json=body | {"prompt": "b"}, headers=key)
    assert other.json()["code"] == "idempotency_key_reused"
    assert shop.asked == ["/photo", "/there"]


def test_urls_that_mean_harm(dialling, shop, objects):
    large = {"Content-Length": str(10**9)}
    with serving() as forbidden:
        forbidden.answers["/"] = (200, {}, picture())
        shop.answers = {
            "/inwards": (302, {"Location": f"{forbidden.url}/"}, b""),
            "/loop": (302, {"Location": "/loop"}, b""),
            "/missing": (404, {}, picture()),
            "/inflates": (200, {"Content-Encoding": "gzip"}, picture()),
            "/gigabyte": (200, large, b""),
            "/endless": (200, {}, bytes(MAX_PICTURE_BYTES + 100_000)),
            "/short": (200, {"Content-Length": "5000"}, picture()),
            "/page": (200, {"Content-Type": "image/png"}, b"<html>"),
        }
        told = {
            path: errors(submit(dialling, image={"url": f"{shop.url}{path}"}))
            for path in shop.answers
        }
        direct = submit(dialling, image={"url": f"{forbidden.url}/"})
        assert forbidden.asked == []
    assert told.pop("/inwards") == {"image.url": "url_refused"}
    assert told.pop("/page") == {"image.url": "picture_unsupported"}
    assert all(found == {"image.url": "url_failed"} for found in told.values()), told
    refused = direct.json()["errors"][0]
    private = submit(dialling, image={"url": "https://10.0.0.1/"}).json()["errors"][0]
    nowhere = submit(dialling, image={"url": "https://nowhere.invalid/"}).json()["errors"][0]
    assert refused == private == nowhere
    assert objects.list_keys("") == []


def test_hostile_addresses_are_refused_alike(gateway_settings, redis_pair):
    answers = set()
    with running_gateway(gateway_settings) as gateway, receiving() as canary:
        port = canary.url.rpartition(":")[2]
        for hostile in filter(None, HOSTILE):
            answer = submit(gateway.client, image={"url": hostile.replace("{port}", port)})
            problem = answer.json()
            answers.add((answer.status_code, problem["code"], json.dumps(problem["errors"])))
            assert hostile not in answer.text
        assert canary.connections == 0
    assert len(answers) == 1
    status, code, told = answers.pop()
    assert (status, code) == (422, "invalid_request")
    assert "url_refused" in told
    assert not redis_pair.durable.exists(INPUTS)


def test_a_picture_that_drips_is_given_up(gateway_settings, shop):
    class Dripping(_Handler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            while not released.wait(0.05):
                self.wfile.write(b"\x89")
                self.wfile.flush()

    released = threading.Event()
    shop.RequestHandlerClass = Dripping
    impatient = replace(
        gateway_settings,
        gateway=gateway_settings.gateway.model_copy(update={"input_fetch_seconds": 0.5}),
        outbound=OutboundSettings(outbound_allow=f"127.0.0.1/32:{shop.server_address[1]}"),
    )
    with running_gateway(impatient) as gateway:
        try:
            told = errors(submit(gateway.client, image={"url": f"{shop.url}/"}))
        finally:
            released.set()
    assert told == {"image.url": "url_failed"}
