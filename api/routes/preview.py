"""`GET /v1/jobs/{id}/preview`: what a running job's picture looks like by now."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from api.documented import PREVIEW_RESPONSES
from api.routes.answers import JobId
from api.routes.watching import watched_job
from api.services import Context
from shared.errors import NotFound
from shared.store.previews import PREVIEW_TYPE

router = APIRouter(tags=["jobs"])


@router.head("/v1/jobs/{job_id}/preview", include_in_schema=False)
@router.get("/v1/jobs/{job_id}/preview", response_class=Response, responses=PREVIEW_RESPONSES)
async def get_preview(
    request: Request,
    job_id: JobId,
    context: Context,
    token: Annotated[str | None, Query(max_length=128)] = None,
) -> Response:
    """Get the newest preview of a job with `preview_every`, while it runs.

    An API key or the `token` of `links.preview` opens it.
    """
    job = await watched_job(context, request, job_id, token)
    if job.status.terminal:
        raise NotFound("the job has ended: previews are for running jobs")
    data = await run_in_threadpool(context.store.preview, job_id)
    if data is None:
        raise NotFound("the job has no preview, or not yet")
    # Who has the link may show it in a page of another origin.
    headers = {"Cross-Origin-Resource-Policy": "cross-origin"}
    return Response(data, headers=headers, media_type=PREVIEW_TYPE)
