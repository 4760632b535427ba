"""Reading a JSON body: declared as JSON, parsed once by pydantic, its faults told as problems.

FastAPI's own way would read the body before it asks who calls, and answer some faults with 500.
"""

from collections.abc import Sequence
from typing import TypeVar

from fastapi import Request
from jiter import from_json
from pydantic import BaseModel, ValidationError

from api.hints import hint
from shared.errors import FieldError, InvalidBody, InvalidRequest, UnsupportedMediaType

FIELD_CHARACTERS = 64

Body = TypeVar("Body", bound=BaseModel)


async def read_json(request: Request) -> bytes:
    """The body's bytes.

    Raises:
        UnsupportedMediaType: it is not declared as JSON, or is compressed.
        BodyTooLarge: it passes the cap.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (
        kind.startswith("application/") and kind.endswith("+json")
    ):
        raise UnsupportedMediaType(
            "declare the body as JSON: `curl --json '{...}'`,"
            " or add `-H 'Content-Type: application/json'`"
        )
    if request.headers.get("content-encoding", "identity") != "identity":
        raise UnsupportedMediaType("send the body without a Content-Encoding")
    return await request.body()


def parse_json(model: type[Body], raw: bytes) -> Body:
    """`raw` as a `model`.

    Raises:
        InvalidBody: not JSON.
        InvalidRequest: JSON, but not a legal `model`.
    """
    if _repeats_a_name(raw):
        raise InvalidBody("an object of the body has the same name twice")
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
    # Raised outside: the cause would hold the client's input.
    if found[0]["type"] == "json_invalid":
        raise InvalidBody("the body is not valid JSON (UTF-8, 200 levels and 4,300 digits at most)")
    fields = tuple(field_error(item["loc"], item["type"], item["msg"]) for item in found)
    raise InvalidRequest("the request has fields that are missing or wrong", errors=fields)


def _repeats_a_name(raw: bytes) -> bool:
    """Whether a name comes twice: readers before us may have seen the value that we would not."""
    try:
        from_json(raw, cache_mode="none", catch_duplicate_keys=True)
    except ValueError as error:
        return str(error).startswith("Detected duplicate key")
    return False


def field_error(location: Sequence[str | int], code: str, message: str) -> FieldError:
    """One of pydantic's faults in our words."""
    # Below `metadata` every name is the client's own.
    parts = location[:1] if location[:1] == ("metadata",) else location
    field = ".".join(str(part) for part in parts)[:FIELD_CHARACTERS]
    if code == "extra_forbidden":
        return FieldError(field, "unknown_field", hint(field))
    return FieldError(field, code, message.removeprefix("Value error, "))
