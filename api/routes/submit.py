"""`POST /v1/jobs`: the only way in."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.responses import Response

from api.documented import SUBMIT_EXTRA, SUBMIT_RESPONSES
from api.json_body import read_json
from api.preferences import Wish, wait_seconds, wants_dry_run, wish
from api.problems import respond
from api.rate_limit_headers import rate_limit_headers
from api.routes.answers import json_response
from api.services import Services, services_of
from api.submission import Submitted
from api.waiting import wait_for_end
from api.wire import JobAnswer, QueueAnswer
from shared.errors import InvalidRequest, JobCanceled, JobExpired
from shared.job import Job, JobStatus
from shared.store.api_key import Scope


class _PlainRoute(APIRoute):
    """Gives the endpoint the request as it is.

    FastAPI's parameters and dependencies would cost this route, which many clients call at once,
    a third of its time.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint itself, with nothing around it."""
        return self.endpoint


router = APIRouter(tags=["jobs"], route_class=_PlainRoute)


@router.post(
    "/v1/jobs",
    status_code=202,
    response_model=JobAnswer,
    responses=SUBMIT_RESPONSES,
    openapi_extra=SUBMIT_EXTRA,
)
async def submit_job(request: Request) -> Response:
    """Submit a job.

    Answers at once with `202`, or with `Prefer: wait=N` (at most 60 seconds) when the job has
    ended; with `Accept: image/png` too, the answer is then the first picture itself. With
    `?dry_run=true` nothing is queued: `200` with the whole request, its cost and its time.
    """
    context = services_of(request)
    caller = await context.authenticator.caller(request, Scope.JOBS_WRITE)
    raw = await read_json(request)
    headers = request.headers
    seconds = wait_seconds(headers.get("prefer"))
    # Who does not wait gets the job, whatever it accepts.
    wished = wish(headers.get("accept")) if seconds is not None else Wish(picture=False)
    if wants_dry_run(request.query_params.get("dry_run")):
        return json_response(await context.submission.dry_run(caller.tenant, raw, wished.format))
    submitted = await context.submission.submit(
        caller,
        raw,
        _idempotency_key(headers),
        wished.format,
    )
    told = rate_limit_headers(submitted.limit)
    if seconds is None:
        return _answer(context, submitted.job, submitted.queue, submitted, told)
    job = await wait_for_end(context.hub, context.store, submitted.job, seconds)
    applied = {**told, "Preference-Applied": f"wait={seconds}"}
    if wished.picture and job.status.terminal:
        return await run_in_threadpool(_picture, context, job, applied)
    return await run_in_threadpool(_answer_now, context, job, submitted, applied)


def _idempotency_key(headers: Headers) -> str | None:
    keys = set(headers.getlist("idempotency-key"))
    if len(keys) > 1:
        raise InvalidRequest("`Idempotency-Key` was sent with two values; send one")
    return next(iter(keys), None)


def _answer_now(
    context: Services, job: Job, submitted: Submitted, headers: dict[str, str]
) -> Response:
    queue = context.outlook.queue([job]).get(job.id)
    return _answer(context, job, queue, submitted, headers)


def _answer(
    context: Services,
    job: Job,
    queue: QueueAnswer | None,
    submitted: Submitted,
    headers: dict[str, str],
) -> Response:
    headers["Location"] = context.render.location(job.id)
    if submitted.replayed:
        headers["Idempotency-Replayed"] = "true"
    status = 200 if job.status.terminal and "Preference-Applied" in headers else 202
    return json_response(context.render.job(job, queue), status, headers)


def _picture(context: Services, job: Job, headers: dict[str, str]) -> Response:
    headers["Location"] = context.render.location(job.id)
    if job.status is JobStatus.CANCELED:
        raise JobCanceled("the job was canceled before its picture was done")
    if job.status is JobStatus.EXPIRED:
        raise JobExpired("the job's deadline passed before its picture was done")
    if job.status is JobStatus.FAILED:
        assert job.error is not None
        return respond(500, job.error.code, job.error.detail)
    first = job.images[0]
    return Response(
        context.objects.get(first.key), headers=headers, media_type=f"image/{first.format}"
    )
