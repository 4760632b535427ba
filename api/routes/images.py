"""`GET /v1/jobs/{id}/images/{n}`: a finished picture, by a fresh link or streamed."""

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response, StreamingResponse

from api.auth import Reader
from api.documented import IMAGE_RESPONSES
from api.render import image_link
from api.routes.answers import JobId, own_job
from api.services import Context
from shared.errors import NotFound

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
    job = own_job(context, caller.tenant, job_id)
    image = next((image for image in job.images if image.index == index), None)
    if image is None:
        raise NotFound("the job has no such picture, or not yet")
    if context.objects.has_public_links:
        link = image_link(context.objects, job.id, image)
        return RedirectResponse(link, 302, {"Cache-Control": "no-store"})
    return StreamingResponse(
        context.objects.stream(image.key),
        headers={
            "Content-Length": str(image.bytes),
            "Content-Disposition": f'inline; filename="{job.id}_{index}.{image.format}"',
            "ETag": f'"{image.sha256}"',
        },
        media_type=f"image/{image.format}",
    )
