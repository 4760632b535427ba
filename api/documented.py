"""Which bodies and answers each call has, with their examples, for OpenAPI."""

from typing import Any

from pydantic import BaseModel

from api.body import CancelBody, EndpointBody, JobBody
from api.examples import (
    CANCELED,
    DELIVERY,
    EVENTS,
    INPUT,
    JOB_ID,
    MEANING,
    MODEL,
    PROBLEM,
    QUEUED,
    SAMPLER,
    SUBMISSION,
    SUCCEEDED,
)
from api.problems import MEDIA_TYPE

Responses = dict[int | str, dict[str, Any]]


def _json(description: str, example: Any) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"example": example}}}


def _list(item: dict[str, Any], following: str | None = None) -> dict[str, Any]:
    return {"object": "list", "data": [item], "next": following}


PROBLEMS: Responses = {
    "default": {
        "description": "A problem (RFC 9457).",
        "content": {
            MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": PROBLEM}
        },
    }
}

SUBMIT_RESPONSES: Responses = {
    200: {
        "description": "The job has ended within `Prefer: wait=N`: the job, or its first picture.",
        "content": {"application/json": {"example": SUCCEEDED}, "image/png": {}},
    },
    202: _json("Accepted; `Location` is the job.", QUEUED),
    **PROBLEMS,
}
JOB_RESPONSES: Responses = {200: _json("The job.", SUCCEEDED), **PROBLEMS}
CANCEL_RESPONSES: Responses = {200: _json("The job, ended.", CANCELED), **PROBLEMS}
LIST_RESPONSES: Responses = {200: _json("A page of jobs.", _list(SUCCEEDED, JOB_ID)), **PROBLEMS}
INPUTS_RESPONSES: Responses = {201: _json("Stored; `Location` is the input.", INPUT), **PROBLEMS}
INPUT_RESPONSES: Responses = {200: _json("The input.", INPUT), **PROBLEMS}
DELIVERY_RESPONSES: Responses = {202: _json("It is sent again.", DELIVERY), **PROBLEMS}
DELIVERIES_RESPONSES: Responses = {200: _json("The job's webhooks.", _list(DELIVERY)), **PROBLEMS}
MODEL_RESPONSES: Responses = {200: _json("All models.", _list(MODEL)), **PROBLEMS}
SAMPLER_RESPONSES: Responses = {200: _json("All samplers.", _list(SAMPLER)), **PROBLEMS}
LIVE_RESPONSES: Responses = {200: _json("Alive.", {"status": "ok"})}
READY_RESPONSES: Responses = {200: _json("Ready.", {"status": "ok"}), **PROBLEMS}
PROBLEM_RESPONSES: Responses = {200: _json("What it means.", MEANING), **PROBLEMS}
EVENT_RESPONSES: Responses = {
    200: {"description": "The events.", "content": {"text/event-stream": {"example": EVENTS}}},
    204: {"description": "The job has ended, and the client has its last event."},
    **PROBLEMS,
}
PREVIEW_RESPONSES: Responses = {
    200: {"description": "The newest preview.", "content": {"image/jpeg": {}}},
    **PROBLEMS,
}
IMAGE_RESPONSES: Responses = {
    200: {"description": "The picture.", "content": {"image/png": {}}},
    302: {"description": "Where the picture lies, for a while."},
    **PROBLEMS,
}


def _header(name: str, description: str, example: str) -> dict[str, Any]:
    schema = {"type": "string"}
    return {
        "in": "header",
        "name": name,
        "description": description,
        "schema": schema,
        "example": example,
    }


def _body(model: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    # The routes read their bodies themselves, so FastAPI does not know of them.
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    content = {"application/json": {"schema": schema, "example": example}}
    return {"required": True, "content": content}


PUBLIC: dict[str, Any] = {"security": []}  # calls that need no key
CANCEL_EXTRA = {"requestBody": _body(CancelBody, {"ids": [JOB_ID]})}
SUBMIT_EXTRA: dict[str, Any] = {
    "requestBody": _body(JobBody, SUBMISSION),
    "parameters": [
        {
            "name": "dry_run",
            "in": "query",
            "required": False,
            "schema": {"type": "boolean", "default": False},
            "description": "Queue nothing; answer the whole request, its cost and its time.",
        },
        _header("Idempotency-Key", "Same key and body within a day: the same job.", "order-4711"),
        _header("Prefer", "Answer when the job has ended, or after N <= 60 s.", "wait=30"),
        _header("Accept", "While waiting: answer the first picture itself.", "image/png"),
    ],
}
_FORM = {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
INPUT_EXTRA: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            **{f"image/{name}": {} for name in ("png", "jpeg", "webp")},
            "multipart/form-data": {"schema": _FORM},
        },
    }
}
ENDPOINT_EXTRA = {"requestBody": _body(EndpointBody, {"url": DELIVERY["url"]})}
