"""Every error as an RFC 9457 problem, FastAPI's own included; none repeats the client's input."""

import logging
import math
import random
from collections.abc import Sequence
from http import HTTPMethod, HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from api.json_body import field_error
from api.rate_limit_headers import rate_limit_headers
from shared.errors import FieldError, InvalidRequest, NotFound, RateLimited, TesseraError
from shared.logging import request_id

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 20
RETRY_SECONDS = 5.0
# Whoever was refused in one moment comes back spread over so many seconds, or half of the wait.
SPREAD_SECONDS = 4.0

logger = logging.getLogger(__name__)


class ProblemField(BaseModel):
    """One wrong field."""

    field: str
    code: str
    detail: str


class Problem(BaseModel):
    """RFC 9457, with our `code`, the request's id, and the wrong fields."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: list[ProblemField] = []


def problem_response(error: TesseraError) -> Response:
    """The answer that tells of `error`."""
    response = respond(
        error.status,
        error.code,
        error.detail,
        errors=error.errors,
        retry_after=error.retry_after,
    )
    if isinstance(error, RateLimited):
        response.headers.update(rate_limit_headers(error.limit))
    return response


def respond(
    status: int,
    code: str,
    detail: str,
    *,
    errors: Sequence[FieldError] = (),
    retry_after: float | None = None,
) -> Response:
    """A problem from its parts. 429 and 503 always say when to come back, jittered."""
    request = request_id.get() or ""
    problem = Problem(
        type=f"/problems/{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=f"urn:tessera:request:{request}",
        code=code,
        request_id=request,
        errors=[
            ProblemField(field=item.field, code=item.code, detail=item.detail)
            for item in errors[:MAX_ERRORS]
        ],
    )
    headers = {}
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        seconds = RETRY_SECONDS if retry_after is None else retry_after
        headers["Retry-After"] = str(_spread(seconds))
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="tessera"'
    return Response(problem.model_dump_json(), status, headers, MEDIA_TYPE)


def _spread(seconds: float) -> int:
    return math.ceil(seconds + random.uniform(0, max(seconds / 2, SPREAD_SECONDS)))


def install(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Answer every error of `app`, which has these routes, with a problem."""

    async def ours(_: Request, error: Exception) -> Response:
        assert isinstance(error, TesseraError)
        return problem_response(error)

    async def http(request: Request, error: Exception) -> Response:
        # Starlette's own: no such path, wrong method.
        assert isinstance(error, HTTPException)
        code, detail = _HTTP_PROBLEMS.get(
            error.status_code, ("http_error", HTTPStatus(error.status_code).phrase)
        )
        response = respond(error.status_code, code, detail)
        response.headers.update(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            response.headers["Allow"] = ", ".join(_methods(request.scope, routes))
        return response

    async def validation(_: Request, error: Exception) -> Response:
        # Query and path parameters; bodies are read by `json_body`.
        assert isinstance(error, RequestValidationError)
        fields = tuple(
            field_error(item["loc"][1:], item["type"], item["msg"]) for item in error.errors()
        )
        return problem_response(InvalidRequest("a parameter is wrong", errors=fields))

    async def unexpected(_: Request, error: Exception) -> Response:
        logger.error("unexpected error", exc_info=error)
        response = respond(500, "internal_error", "a defect of ours; the log has it by request id")
        # Starlette sends this one from outside ExchangeMiddleware.
        response.headers["X-Request-Id"] = request_id.get() or ""
        return response

    app.add_exception_handler(TesseraError, ours)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(Exception, unexpected)


def _methods(scope: Scope, routes: Sequence[BaseRoute]) -> list[str]:
    """What the path answers to. Starlette tells the methods of one of its routes only."""
    found = {}
    for method in HTTPMethod:
        matches = (route.matches({**scope, "method": method}) for route in routes)
        names = [child["path_params"] for match, child in matches if match is Match.FULL]
        if names:
            found[method] = min(map(len, names))
    # `/v1/jobs/cancel` is no job's id: where a path itself is known, its own methods count.
    return [method for method, names in found.items() if names == min(found.values())]


_HTTP_PROBLEMS = {
    400: ("invalid_json", "the request is malformed"),
    404: (NotFound.code, "nothing is here; see /docs"),
    405: ("method_not_allowed", "the path exists, with other methods"),
}
