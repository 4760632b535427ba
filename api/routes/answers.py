"""What several routes share: loading a caller's job, and answering with a model as JSON."""

import re
from collections.abc import Mapping
from typing import Annotated

from fastapi import Path
from pydantic import BaseModel
from starlette.responses import Response

from api.services import Services
from shared.errors import NotFound
from shared.job import Job

JobId = Annotated[str, Path(examples=["job_0199f3a2c4d87b6e9a1b2c3d4e5f6a7b"])]

_JOB_ID = re.compile(r"job_[0-9a-f]{32}")


def json_response(
    answer: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """`answer` as JSON, once: FastAPI would validate and encode it again."""
    return Response(answer.model_dump_json(), status, headers, "application/json")


def is_job_id(text: str) -> bool:
    """Whether `text` has the form of our job ids."""
    return _JOB_ID.fullmatch(text) is not None


def own_job(context: Services, tenant: str, job_id: str) -> Job:
    """The tenant's job; another tenant's is not there.

    Raises:
        NotFound: no such job of that tenant.
        StoreUnavailable: Redis does not answer.
    """
    job = context.store.get(job_id) if is_job_id(job_id) else None
    if job is None or job.tenant != tenant:
        raise NotFound("no such job")
    return job
