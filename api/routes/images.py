"""A finished picture and its trajectory, each by a fresh link or streamed."""

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response, StreamingResponse

from api.auth import Reader
from api.documented import IMAGE_RESPONSES
from api.job_files import JobFile, picture_file, trajectory_file
from api.routes.answers import JobId, own_job
from api.services import Context, Services
from shared.errors import NotFound
from shared.job import StoredImage

router = APIRouter(tags=["jobs"])


@router.head("/v1/jobs/{job_id}/images/{index}", include_in_schema=False)
@router.get(
    "/v1/jobs/{job_id}/images/{index}",
    status_code=302,
    response_class=Response,
    responses=IMAGE_RESPONSES,
)
def get_image(job_id: JobId, index: int, caller: Reader, context: Context) -> Response:
    """Get a picture: a redirect to S3, or its bytes where clients cannot reach S3."""
    image = _own_image(context, caller.tenant, job_id, index)
    return _answer(context, picture_file(job_id, image))


@router.get(
    "/v1/jobs/{job_id}/images/{index}/trajectory",
    status_code=302,
    response_class=Response,
    responses=IMAGE_RESPONSES,
)
def get_trajectory(job_id: JobId, index: int, caller: Reader, context: Context) -> Response:
    """Get the animated picture of a denoising, if the job asked for it."""
    image = _own_image(context, caller.tenant, job_id, index)
    if image.trajectory is None:
        raise NotFound("the job asked for no `trajectory`, or this service shows none")
    return _answer(context, trajectory_file(job_id, index, image.trajectory))


def _own_image(context: Services, tenant: str, job_id: str, index: int) -> StoredImage:
    job = own_job(context, tenant, job_id)
    image = next((image for image in job.images if image.index == index), None)
    if image is None:
        raise NotFound("the job has no such picture, or not yet")
    return image


def _answer(context: Services, file: JobFile) -> Response:
    if context.objects.has_public_links:
        link = file.link(context.objects)
        return RedirectResponse(link, 302, {"Cache-Control": "no-store"})
    return StreamingResponse(
        context.objects.stream(file.key),
        headers={
            "Content-Length": str(file.bytes),
            "Content-Disposition": f'inline; filename="{file.filename}"',
            "ETag": f'"{file.sha256}"',
        },
        media_type=file.content_type,
    )
