"""`GET /v1/jobs/{id}/events`: watch a job, and resume where the connection broke."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from api.documented import EVENT_RESPONSES
from api.routes.answers import JobId
from api.routes.watching import watched_job
from api.services import Context, Services
from api.stream import EventStream
from api.stream_slots import CountedStream

router = APIRouter(tags=["jobs"])


@router.get("/v1/jobs/{job_id}/events", response_class=Response, responses=EVENT_RESPONSES)
async def get_events(
    request: Request,
    job_id: JobId,
    context: Context,
    token: Annotated[str | None, Query(max_length=128)] = None,
    last_event_id: Annotated[str | None, Header(max_length=64)] = None,
) -> Response:
    """Stream `status`, `progress`, `preview`, `image` and `warning` events until the job has ended.

    The first event is a snapshot of the job, unless `Last-Event-ID` says what the client has.
    An API key or the `token` of `links.events` opens it.
    """
    job = await watched_job(context, request, job_id, token)
    if last_event_id is not None and await run_in_threadpool(
        _has_everything, context, job_id, last_event_id
    ):
        return Response(status_code=204)
    stream = EventStream(job_id, context.hub, context.events, context.render)
    return CountedStream(
        stream.events(last_event_id),
        context.stream_slots,
        job.tenant,
        context.stream_keepalive_seconds,
    )


def _has_everything(context: Services, job_id: str, last_event_id: str) -> bool:
    snapshot = context.events.snapshot(job_id)
    return (
        snapshot is not None
        and snapshot.job.status.terminal
        and snapshot.last_event_id == last_event_id
    )
