"""The table of bad inputs: each a 4xx problem that repeats nothing, and nothing is stored."""

import json
import socket
from contextlib import ExitStack
from dataclasses import replace

import httpx2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.settings import Settings
from shared.connections import RedisPair
from shared.store.keys import LINK_SECRET
from tests.integration.conftest import Gateway, running_gateway

SECRET = "xyzzy-plugh"  # stands for whatever a client would not like to see repeated

BODIES = {
    "empty": (b"", 400),
    "no JSON": (b"prompt=" + SECRET.encode(), 400),
    "cut off": (b'{"prompt": "' + SECRET.encode(), 400),
    "UTF-16": (json.dumps({"prompt": SECRET}).encode("utf-16"), 400),
    "byte order mark": (b"\xef\xbb\xbf" + json.dumps({"prompt": SECRET}).encode(), 400),
    "broken UTF-8": (b'{"prompt": "xyzzy-plugh\xff"}', 400),
    "lone surrogate": (b'{"prompt": "xyzzy-plugh\\ud800"}', 400),
    "encoded surrogate": (b'{"prompt": "xyzzy-plugh\xed\xa0\x80"}', 400),
    "deep nesting": (b'{"prompt": ' + b"[" * 100_000, 400),
    "deep metadata": (b'{"prompt": "a", "metadata": ' + b'{"a":' * 5000 + b"}" * 5001, 400),
    "a number of 5,000 digits": (b'{"prompt": "a", "seed": ' + b"9" * 5000 + b"}", 400),
    "a list": (b'["xyzzy-plugh"]', 422),
    "null": (b"null", 422),
    "NaN": (b'{"prompt": "a", "guidance_scale": NaN}', 422),
    "Infinity": (b'{"prompt": "a", "guidance_scale": Infinity}', 422),
    "1e400": (b'{"prompt": "a", "guidance_scale": 1e400}', 422),
    "no prompt": (b'{"steps": 20}', 422),
    "unknown field": (b'{"prompt": "a", "xyzzy": "xyzzy-plugh"}', 422),
}

FIELDS = {
    "boolean as integer": ("steps", True),
    "boolean as number": ("guidance_scale", False),
    "float as integer": ("steps", 20.5),
    "text as number": ("steps", SECRET),
    "no steps": ("steps", 0),
    "too many steps": ("steps", 151),
    "negative guidance": ("guidance_scale", -1),
    "too much guidance": ("guidance_scale", 30.5),
    "no images": ("num_images", 0),
    "nine images": ("num_images", 9),
    "odd width": ("width", 100),
    "narrow": ("width", 56),
    "wide": ("width", 520),
    "many pixels": ("width", 10**30),
    "seed too large": ("seed", 2**32),
    "negative seed": ("seed", -2),
    "random seed of others": ("seed", -1),
    "eta": ("eta", 1.5),
    "unknown model": ("model", SECRET),
    "unknown sampler": ("sampler", SECRET),
    "unknown schedule": ("schedule", SECRET),
    "unknown priority": ("priority", SECRET),
    "unknown format": ("output", {"format": SECRET}),
    "quality": ("output", {"format": "jpeg", "quality": 101}),
    "no deadline": ("deadline_seconds", 0),
    "infinite deadline": ("deadline_seconds", 10**400),
    "text as boolean": ("reproducible", "yes"),
    "prompt of a list": ("prompt", [SECRET]),
    "long prompt": ("prompt", SECRET * 400),
    "heavy prompt": ("prompt", "\U0001f34e" * 4000 + SECRET),
    "control character": ("prompt", SECRET + "\0"),
    "escape": ("negative_prompt", SECRET + "\x1b[2J"),
    "no strength": ("strength", 0),
    "too much strength": ("strength", 1.5),
    "unknown fit": ("fit", SECRET),
    "picture of text": ("image", SECRET),
    "picture of nothing": ("image", {}),
    "picture of no base64": ("image", {"data": SECRET}),
    "picture of an unknown id": ("image", {"id": "in_" + "0" * 32}),
    "picture of a strange id": ("image", {"id": SECRET}),
    "picture of a bad URL": ("image", {"url": SECRET}),
    "picture of a file": ("image", {"url": "file:///etc/passwd"}),
    "mask without an image": ("mask", {"data": "AAAA"}),
    "unknown control": ("controls", [{"type": SECRET, "image": {"data": "AAAA"}}]),
    "30 controls": ("controls", [{"type": "canny", "image": {"data": "AAAA"}}] * 30),
    "unknown LoRA": ("loras", [{"name": SECRET}]),
    "LoRA by a URL": ("loras", [{"name": "https://example.com/" + SECRET}]),
    "heavy LoRA": ("loras", [{"name": "lineart", "scale": 5}]),
    "rescale": ("guidance_rescale", 1.1),
    "clip skip": ("clip_skip", -1),
    "hires beyond the model": ("hires", {"scale": 4}),
    "hires that shrinks": ("hires", {"scale": 0.5}),
    "hires without strength": ("hires", {"strength": 0}),
    "negative previews": ("preview_every", -1),
    "webhook nowhere": ("webhook", {"url": SECRET}),
    "metadata of numbers": ("metadata", {"a": 1}),
    "many keys": ("metadata", {str(number): SECRET for number in range(17)}),
    "long value": ("metadata", {"a": SECRET * 40}),
    "long key": ("metadata", {SECRET * 10: ""}),
}


def assert_problem(answer: httpx2.Response, status: int) -> dict:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert SECRET not in answer.text
    problem = answer.json()
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert {"type", "title", "detail", "instance", "code", "errors"} <= set(problem)
    return problem


def post(client: httpx2.Client, body: bytes) -> httpx2.Response:
    return client.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})


def stored(pair: RedisPair) -> set[str]:
    return {str(key) for key in pair.durable.scan_iter("tessera:*")} - {LINK_SECRET}


def test_bad_bodies(client: httpx2.Client, redis_pair: RedisPair):
    for name, (body, status) in BODIES.items():
        problem = assert_problem(post(client, body), status)
        assert problem["detail"], name
    assert stored(redis_pair) == set()


def test_bad_fields_are_named(client: httpx2.Client, redis_pair: RedisPair):
    for name, (field, value) in FIELDS.items():
        body = json.dumps({"prompt": "a red apple", field: value})
        problem = assert_problem(post(client, body.encode()), 422)
        assert problem["errors"][0]["field"].startswith(field), (name, problem)
    assert stored(redis_pair) == set()


def test_other_tools_names_get_a_hint(client: httpx2.Client):
    names = {
        "num_inference_steps": "`steps`",
        "cfg_scale": "`guidance_scale`",
        "sampler_name": "`sampler`",
        "n": "`num_images`",
        "denoising_strength": "`strength`",
        "size": "`width` and `height`",
    }
    answer = client.post("/v1/jobs", json={"prompt": "a", **dict.fromkeys(names, 1)})
    told = {error["field"]: error["detail"] for error in answer.json()["errors"]}
    for name, ours in names.items():
        assert ours in told[name]


def test_the_nearest_legal_sizes_are_named(client: httpx2.Client):
    answer = client.post("/v1/jobs", json={"prompt": "a", "width": 100, "height": 9999})
    details = [error["detail"] for error in answer.json()["errors"]]
    assert details[0].endswith("nearest: 96 or 104")
    assert details[1].endswith("nearest: 512")
    large = client.post("/v1/jobs", json={"prompt": "a", "width": 512, "height": 512})
    assert large.json()["errors"][0]["code"] == "too_many_pixels"


def test_over_budget(client: httpx2.Client):
    body = {"prompt": "a", "width": 256, "height": 512, "steps": 150, "num_images": 8}
    answer = client.post("/v1/jobs", json=body)
    assert answer.json()["errors"][0]["code"] == "over_budget"


def test_long_field_names_are_cut(client: httpx2.Client):
    answer = client.post("/v1/jobs", json={"prompt": "a", "f" * 5000: 1})
    assert answer.json()["errors"][0]["field"] == "f" * 64
    many = client.post("/v1/jobs", json={"prompt": "a", **{f"f{n}": 1 for n in range(500)}})
    assert len(many.json()["errors"]) == 20


def test_content_types(client: httpx2.Client):
    body = json.dumps({"prompt": SECRET})
    for kind in ("", "text/plain", "application/x-www-form-urlencoded"):
        headers = {"Content-Type": kind} if kind else {}
        problem = assert_problem(
            client.post("/v1/jobs", content=body.encode(), headers=headers), 415
        )
        assert "--json" in problem["detail"]
    gzipped = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert_problem(client.post("/v1/jobs", content=body.encode(), headers=gzipped), 415)


NOWHERE = "job_" + "0" * 32

PATHS = [
    ("GET", "/nowhere/xyzzy-plugh", 404),
    ("PUT", "/v1/jobs", 405),
    ("GET", "/v1/jobs/xyzzy-plugh", 404),
    ("GET", f"/v1/jobs/{NOWHERE}", 404),
    ("DELETE", f"/v1/jobs/{NOWHERE}", 404),
    ("POST", f"/v1/jobs/{NOWHERE}/cancel", 404),
    ("GET", f"/v1/jobs/{NOWHERE}/events", 404),
    ("GET", f"/v1/jobs/{NOWHERE}/events?token=xyzzy-plugh", 401),
    ("GET", f"/v1/jobs/{NOWHERE}/images/0", 404),
    ("GET", f"/v1/jobs/{NOWHERE}/images/xyzzy-plugh", 422),
    ("GET", "/v1/jobs?limit=0", 422),
    ("GET", "/v1/jobs?limit=xyzzy-plugh", 422),
    ("GET", "/v1/jobs?status=xyzzy-plugh", 422),
    ("GET", "/v1/jobs?cursor=xyzzy-plugh", 422),
    ("POST", "/v1/jobs/cancel", 415),
    ("GET", "/v1/inputs/xyzzy-plugh", 404),
    ("GET", f"/v1/inputs/in_{'0' * 32}", 404),
    ("POST", "/v1/inputs", 415),
]


def test_bad_paths_and_parameters(client: httpx2.Client):
    for method, path, status in PATHS:
        assert_problem(client.request(method, path), status)


def test_bad_idempotency_keys(client: httpx2.Client, redis_pair: RedisPair):
    for keys in ([b""], [b"k" * 256], [b"caf\xc3\xa9"], [b"one", b"two"]):
        headers = [(b"Idempotency-Key", key) for key in keys]
        answer = client.post("/v1/jobs", json={"prompt": "a"}, headers=headers)
        assert_problem(answer, 422)
    assert stored(redis_pair) == set()


JSON_POST = b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


def test_a_huge_body_is_refused_before_it_is_sent(gateway: Gateway):
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(JSON_POST + b"Content-Length: 104857600\r\n\r\n")
        answer = read_to_end(connection)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in answer
    assert b"connection: close" in answer


def test_a_huge_chunked_body_is_refused_at_the_cap(gateway: Gateway):
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(JSON_POST + b"Transfer-Encoding: chunked\r\n\r\n")
        try:
            while sent < 100 * 2**20:
                connection.sendall(chunk)
                sent += len(chunk)
        except ConnectionError:
            pass  # it hung up, as it should
        answer = read_to_end(connection)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in answer
    assert sent < 50 * 2**20  # the cap, and what the sockets' buffers held
    assert gateway.client.get("/livez").status_code == 200


def test_a_body_that_drips_is_given_up(gateway_settings: Settings):
    impatient = gateway_settings.gateway.model_copy(update={"body_seconds": 0.3})
    with (
        running_gateway(replace(gateway_settings, gateway=impatient)) as gateway,
        socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection,
    ):
        connection.sendall(JSON_POST + b'Content-Length: 1000\r\n\r\n{"prompt": "')
        answer = read_to_end(connection)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"application/problem+json" in answer
        assert b"connection: close" in answer


def test_a_thousand_idle_connections_hold_nobody_up(gateway: Gateway):
    with ExitStack() as stack:
        for i in range(1000):
            idle = socket.create_connection(("127.0.0.1", gateway.port), timeout=10)
            stack.enter_context(idle)
            if i % 2:  # half of them have begun to speak
                idle.sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Le")
        assert gateway.client.post("/v1/jobs", json={"prompt": "a red apple"}).status_code == 202


def read_to_end(connection: socket.socket) -> bytes:
    received = b""
    try:
        while part := connection.recv(65536):
            received += part
    except ConnectionError:
        pass
    return received


def test_an_unread_body_is_not_the_next_request(gateway: Gateway):
    smuggled = b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(
            b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: "
            + str(len(smuggled)).encode()
            + b"\r\n\r\n"
            + smuggled
        )
        answer = read_to_end(connection)
    assert answer.count(b"HTTP/1.1 ") == 1


@given(
    body=st.dictionaries(
        st.sampled_from(["prompt", "width", "steps", "seed", "sampler", "output", "metadata", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=5,
        ),
    )
)
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_body_makes_a_server_error(client: httpx2.Client, body: dict):
    answer = post(client, json.dumps(body).encode())
    assert answer.status_code in (202, 400, 422), answer.text


def test_refusals_are_counted_by_reason(gateway: Gateway, client: httpx2.Client):
    post(client, b"{")
    registry = gateway.app.state.services.metrics.registry
    name = "tessera_jobs_rejected_total"
    assert registry.get_sample_value(name, {"reason": "invalid_json"}) == 1
