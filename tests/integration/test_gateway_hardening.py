"""What browsers, proxies and strange clients meet: headers, methods, pages of other origins."""

from dataclasses import replace

import httpx2
import pytest

from api.settings import AuthMode, GatewaySettings, Settings
from tests.integration.conftest import running_gateway

ORIGIN = "https://pages.example"
JSON = {"Content-Type": "application/json"}


def test_every_answer_tells_browsers_to_keep_and_run_nothing(client: httpx2.Client):
    job = client.post("/v1/jobs", json={"prompt": "a"})
    answers = [
        job,
        client.get(f"/v1/jobs/{job.json()['id']}"),
        client.get("/v1/models"),
        client.get("/livez"),
        client.get("/nowhere"),
        client.post("/v1/jobs", content=b"{", headers=JSON),
        client.get("/v1/jobs", headers={"Host": "attacker.example"}),
    ]
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_documentation_loads_from_here_alone(client: httpx2.Client):
    page = client.get("/docs")
    assert "://" not in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; " in policy
    for name in ("start.js", "swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"):
        assert f"/docs/{name}" in page.text
        assert client.get(f"/docs/{name}").status_code == 200
    for name in ("nothing.js", "..%2f__init__.py", "%2e%2e"):
        assert client.get(f"/docs/{name}").status_code == 404


def test_what_answers_get_answers_head_without_a_body(client: httpx2.Client):
    job_id = client.post("/v1/jobs", json={"prompt": "a"}).json()["id"]
    for path in ("/v1/jobs", f"/v1/jobs/{job_id}", "/v1/models", "/v1/samplers", "/docs"):
        head, get = client.head(path), client.get(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["Content-Type"] == get.headers["Content-Type"]


def test_a_wrong_method_is_told_all_right_ones(client: httpx2.Client):
    job = f"/v1/jobs/job_{'0' * 32}"
    expected = {
        "/v1/jobs": {"GET", "HEAD", "POST"},
        job: {"DELETE", "GET", "HEAD"},
        f"{job}/events": {"GET"},
        f"{job}/cancel": {"POST"},
        "/v1/jobs/cancel": {"POST"},
        "/livez": {"GET", "HEAD"},
    }
    for path, methods in expected.items():
        answer = client.patch(path)
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
        assert set(answer.headers["Allow"].split(", ")) == methods


def test_a_slash_too_many_is_not_followed_to_another_host(client: httpx2.Client):
    assert client.get("/v1/jobs/", headers={"Host": "localhost"}).status_code == 404


@pytest.mark.parametrize(
    "body", ['{"prompt": "a", "prompt": "b"}', '{"prompt": "a", "output": {"x": 1, "x": 2}}']
)
def test_a_name_that_comes_twice_is_refused(client: httpx2.Client, body: str):
    answer = client.post("/v1/jobs", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_json")
    assert "twice" in answer.json()["detail"]


def test_a_number_of_thousands_of_digits_is_told_to_be_one(client: httpx2.Client):
    body = '{"prompt": "a", "seed": ' + "9" * 5000 + "}"
    answer = client.post("/v1/jobs", content=body, headers=JSON)
    assert answer.status_code == 400
    assert "digits" in answer.json()["detail"]


def test_pages_call_where_the_operator_named_their_origin(gateway_settings: Settings):
    named = gateway_settings.gateway.model_copy(
        update={"auth": AuthMode.KEYS, "cors_origins": (ORIGIN,)}
    )
    asked = {"Access-Control-Request-Method": "POST"}
    with running_gateway(replace(gateway_settings, gateway=named)) as gateway:
        allowed = gateway.client.options("/v1/jobs", headers={"Origin": ORIGIN, **asked})
        assert allowed.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "Access-Control-Allow-Credentials" not in allowed.headers
        other = {"Origin": "https://other.example", **asked}
        refused = gateway.client.options("/v1/jobs", headers=other)
        assert "Access-Control-Allow-Origin" not in refused.headers
        answer = gateway.client.get("/v1/jobs", headers={"Origin": ORIGIN})
        assert answer.status_code == 401
        assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]


def test_open_mode_lets_in_no_pages_and_no_proxies():
    for opened in ({"cors_origins": ORIGIN}, {"trusted_proxies": "10.0.0.0/8"}):
        with pytest.raises(ValueError, match="lets in no"):
            GatewaySettings.model_validate({"auth": "open", **opened})
