"""`GET /v1/jobs/{id}/events`: watch a job, and resume where the connection broke."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from sse_starlette import EventSourceResponse
from starlette.responses import Response

from api.documented import EVENT_RESPONSES
from api.routes.answers import JobId, is_job_id, own_job
from api.services import Context, Services
from api.stream import EventStream
from shared.errors import NotFound, Unauthorized
from shared.job import Job
from shared.store.api_key import Scope

router = APIRouter(tags=["jobs"])


@router.get("/v1/jobs/{job_id}/events", response_class=Response, responses=EVENT_RESPONSES)
async def get_events(
    request: Request,
    job_id: JobId,
    context: Context,
    token: Annotated[str | None, Query(max_length=128)] = None,
    last_event_id: Annotated[str | None, Header(max_length=64)] = None,
) -> Response:
    """Stream `status`, `progress`, `image` and `warning` events until the job has ended.

    The first event is a snapshot of the job, unless `Last-Event-ID` says what the client has.
    An API key or the `token` of `links.events` opens it.
    """
    if token is not None:
        await run_in_threadpool(_job_by_token, context, job_id, token)
    else:
        caller = await context.authenticator.caller(request, Scope.JOBS_READ)
        await run_in_threadpool(own_job, context, caller.tenant, job_id)
    if last_event_id is not None and await run_in_threadpool(
        _has_everything, context, job_id, last_event_id
    ):
        return Response(status_code=204)
    stream = EventStream(job_id, context.hub, context.events, context.render)
    return EventSourceResponse(stream.events(last_event_id))


def _job_by_token(context: Services, job_id: str, token: str) -> Job:
    if not is_job_id(job_id) or not context.tokens.accepts(job_id, token):
        raise Unauthorized("the token is not this job's, or its time is over")
    job = context.store.get(job_id)
    if job is None:
        raise NotFound("no such job")
    return job


def _has_everything(context: Services, job_id: str, last_event_id: str) -> bool:
    snapshot = context.events.snapshot(job_id)
    return (
        snapshot is not None
        and snapshot.job.status.terminal
        and snapshot.last_event_id == last_event_id
    )
