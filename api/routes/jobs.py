"""Jobs after their submission: get, list, cancel, delete."""

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from api.auth import Reader, Writer
from api.body import CancelBody
from api.documented import CANCEL_EXTRA, CANCEL_RESPONSES, JOB_RESPONSES, LIST_RESPONSES, PROBLEMS
from api.json_body import parse_json, read_json
from api.routes.answers import JobId, is_job_id, json_response, own_job
from api.services import Context, Services
from api.wire import JobAnswer, ListAnswer
from shared.errors import InvalidRequest, NotFound, StorageUnavailable
from shared.ids import job_prefix
from shared.job import Job, JobStatus

MAX_PAGE = 100

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.head("", include_in_schema=False)
@router.get("", response_model=ListAnswer[JobAnswer], responses=LIST_RESPONSES)
def list_jobs(
    caller: Reader,
    context: Context,
    status: JobStatus | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
    cursor: Annotated[str | None, Query(max_length=128)] = None,
) -> Response:
    """List the caller's jobs, newest first; `next` is the cursor of the following page."""
    if cursor is not None and not is_job_id(cursor):
        raise InvalidRequest("`cursor` is not the `next` of an earlier page")
    jobs, following = context.store.list_jobs(
        caller.tenant, status=status, limit=limit, cursor=cursor
    )
    queue = context.outlook.queue(jobs)
    data = tuple(context.render.job(job, queue.get(job.id)) for job in jobs)
    return json_response(ListAnswer[JobAnswer](data=data, next=following))


@router.post(
    "/cancel",
    response_model=ListAnswer[JobAnswer],
    responses=LIST_RESPONSES,
    openapi_extra=CANCEL_EXTRA,
)
async def cancel_jobs(request: Request, caller: Writer, context: Context) -> Response:
    """Cancel several jobs. Ids that are not the caller's are left out of the answer."""
    body = parse_json(CancelBody, await read_json(request))
    return await run_in_threadpool(_cancel_all, context, caller.tenant, body)


def _cancel_all(context: Services, tenant: str, body: CancelBody) -> Response:
    jobs = []
    for job_id in dict.fromkeys(body.ids):
        job = context.store.get(job_id) if is_job_id(job_id) else None
        if job is not None and job.tenant == tenant:
            jobs.append(_cancel(context, job) or job)
    return json_response(ListAnswer[JobAnswer](data=tuple(map(context.render.job, jobs))))


@router.head("/{job_id}", include_in_schema=False)
@router.get("/{job_id}", response_model=JobAnswer, responses=JOB_RESPONSES)
def get_job(job_id: JobId, caller: Reader, context: Context) -> Response:
    """Get a job as it is now, with fresh links to its finished pictures."""
    job = own_job(context, caller.tenant, job_id)
    return json_response(context.render.job(job, context.outlook.queue([job]).get(job_id)))


@router.post("/{job_id}/cancel", response_model=JobAnswer, responses=CANCEL_RESPONSES)
def cancel_job(job_id: JobId, caller: Writer, context: Context) -> Response:
    """Cancel a job. A job that has ended is returned unchanged."""
    job = _cancel(context, own_job(context, caller.tenant, job_id))
    if job is None:
        raise NotFound("no such job")
    return json_response(context.render.job(job))


def _cancel(context: Services, before: Job) -> Job | None:
    job = context.store.cancel(before.id)
    if job is not None and job.status is JobStatus.CANCELED and not before.status.terminal:
        context.metrics.jobs_finished.labels(job.request.model, job.status).inc()
    return job


@router.delete("/{job_id}", status_code=204, responses=PROBLEMS)
def delete_job(job_id: JobId, caller: Writer, context: Context) -> Response:
    """Delete a job with its pictures, cancelling it if need be."""
    job = own_job(context, caller.tenant, job_id)
    context.store.delete(job_id)
    # From here on the keeper would do the rest, should S3 not answer now. The record goes last.
    with suppress(StorageUnavailable):
        context.objects.delete_prefix(job_prefix(job.tenant, job.id))
        context.store.forget(job_id)
    return Response(status_code=204)
