"""Every error is a problem: ours, FastAPI's, and the ones that nobody expected."""

import logging

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api import problems
from api.routes import problem_types
from shared.errors import FieldError, InvalidRequest, QueueFull, StoreUnavailable, TesseraError


def application(error: Exception | None = None) -> FastAPI:
    app = FastAPI()
    problems.install(app, app.router.routes)
    app.include_router(problem_types.router)

    @app.get("/fail")
    def fail(number: int = 0) -> None:
        assert error is not None, number
        raise error

    return app


def answer(error: Exception | None, path: str = "/fail"):
    with TestClient(application(error), raise_server_exceptions=False) as client:
        return client.get(path)


def test_ours():
    field = FieldError("steps", "illegal", "too many")
    found = answer(InvalidRequest("no", errors=(field,)))
    assert found.status_code == 422
    assert found.headers["Content-Type"] == "application/problem+json"
    assert found.json()["errors"] == [{"field": "steps", "code": "illegal", "detail": "too many"}]


@pytest.mark.parametrize(
    ("error", "least"), [(QueueFull("full"), 5), (StoreUnavailable("away", retry_after=20), 20)]
)
def test_when_to_come_back(error: TesseraError, least: int):
    seconds = int(answer(error).headers["Retry-After"])
    assert least <= seconds <= max(least * 1.5, least + 4) + 1


def test_the_unexpected_says_nothing_but_its_id(caplog):
    with caplog.at_level(logging.ERROR):
        found = answer(RuntimeError("the password is swordfish"))
    assert found.status_code == 500
    assert found.json()["code"] == "internal_error"
    assert "swordfish" not in found.text
    assert "unexpected error" in caplog.text


def test_fastapis_own():
    assert answer(None, "/nowhere").json()["code"] == "not_found"
    found = answer(None, "/fail?number=swordfish")
    assert found.json()["errors"][0]["field"] == "number"
    assert "swordfish" not in found.text


def test_every_type_can_be_looked_up():
    def codes(root: type[TesseraError]) -> set[str]:
        return {root.code}.union(*(codes(child) for child in root.__subclasses__()))

    with TestClient(application()) as client:
        for code in codes(TesseraError):
            found = client.get(f"/problems/{code}")
            assert found.json()["code"] == code
            assert found.json()["meaning"]
        assert client.get("/problems/swordfish").status_code == 404
