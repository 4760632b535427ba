"""`/livez`: the process answers. `/readyz`: Redis and S3 answer too, so a job can be taken."""

from fastapi import APIRouter

from api.documented import LIVE_RESPONSES, PUBLIC, READY_RESPONSES
from api.services import Context

router = APIRouter(tags=["health"])


@router.head("/livez", include_in_schema=False)
@router.get("/livez", responses=LIVE_RESPONSES, openapi_extra=PUBLIC)
async def livez() -> dict[str, str]:
    """Tell that the process serves; asks nobody else."""
    return {"status": "ok"}


@router.head("/readyz", include_in_schema=False)  # load balancers ask so
@router.get("/readyz", responses=READY_RESPONSES, openapi_extra=PUBLIC)
async def readyz(context: Context) -> dict[str, str]:
    """Tell whether a job can be taken; 503 says why not."""
    context.surroundings.require_ready()
    return {"status": "ok"}
