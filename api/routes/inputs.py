"""`POST /v1/inputs`: pictures sent before the jobs that use them."""

import re
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.auth import Reader, Writer
from api.documented import INPUT_EXTRA, INPUT_RESPONSES, INPUTS_RESPONSES
from api.input_body import INPUT_ID
from api.routes.answers import json_response
from api.services import Context
from api.wire import InputAnswer
from shared.errors import InvalidRequest, NotFound, UnsupportedMediaType
from shared.store.values import StoredInput

router = APIRouter(prefix="/v1/inputs", tags=["inputs"])

InputId = Annotated[str, Path(examples=["in_9f86d081884c7d659a2feaa0c55ad015"])]


@router.post(
    "",
    status_code=201,
    response_model=InputAnswer,
    responses=INPUTS_RESPONSES,
    openapi_extra=INPUT_EXTRA,
)
async def add_input(request: Request, caller: Writer, context: Context) -> Response:
    """Send a picture to be used by jobs: PNG, JPEG or WebP, at most 20 MB and 4096 x 4096 pixels.

    The same bytes give the same id. It is kept for a week after its last use.
    """
    context.surroundings.require_ready()
    stored = await context.inputs.keep(caller.tenant, await _picture_bytes(request))
    return json_response(_answer(stored), 201, {"Location": f"/v1/inputs/{stored.id}"})


@router.head("/{input_id}", include_in_schema=False)
@router.get("/{input_id}", response_model=InputAnswer, responses=INPUT_RESPONSES)
async def get_input(input_id: InputId, caller: Reader, context: Context) -> Response:
    """Tell of a picture that was sent before, and keep it for another week."""
    known = re.fullmatch(INPUT_ID, input_id)
    stored = await context.inputs.find(caller.tenant, input_id) if known else None
    if stored is None:
        raise NotFound("no such input")
    return json_response(_answer(stored))


async def _picture_bytes(request: Request) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _file_of_form(request)
    if kind.startswith("image/") or kind == "application/octet-stream":
        return await request.body()
    raise UnsupportedMediaType(
        "send the picture itself: `curl --data-binary @picture.png -H 'Content-Type: image/png'`,"
        " or as a form: `curl -F file=@picture.png`"
    )


async def _file_of_form(request: Request) -> bytes:
    try:
        async with request.form(max_files=1, max_fields=0) as form:
            (file,) = form.values()
            assert isinstance(file, UploadFile), "no other fields are taken"
            return await file.read()
    except (HTTPException, ValueError) as error:
        raise InvalidRequest("send a form with one file and nothing else") from error


def _answer(stored: StoredInput) -> InputAnswer:
    return InputAnswer(
        id=stored.id,
        width=stored.width,
        height=stored.height,
        bytes=stored.bytes,
        expires_at=datetime.fromtimestamp(stored.expires_at, UTC),
    )
