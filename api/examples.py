"""One example a call for OpenAPI, and which answers each call has."""

from typing import Any

from pydantic import BaseModel

from api.body import CancelBody, JobBody
from api.problems import MEDIA_TYPE

Responses = dict[int | str, dict[str, Any]]

JOB_ID = "job_0199f3a2c4d87b6e9a1b2c3d4e5f6a7b"

SUBMISSION = {"prompt": "a red apple", "steps": 20, "seed": 7, "num_images": 1}

REQUEST = {
    "model": "emoji",
    "prompt": "a red apple",
    "negative_prompt": "",
    "width": 128,
    "height": 128,
    "num_images": 1,
    "steps": 20,
    "guidance_scale": 3.0,
    "sampler": "dpmpp_2m",
    "schedule": "default",
    "eta": 0.0,
    "seed": 7,
    "output": {"format": "png", "quality": 90},
    "priority": "normal",
    "deadline_seconds": None,
    "reproducible": False,
    "metadata": {},
    "image": None,
    "strength": 1.0,
    "mask": None,
    "fit": "cover",
    "controls": [],
    "loras": [],
    "guidance_rescale": 0.0,
    "clip_skip": 0,
    "hires": None,
    "preview_every": 0,
    "trajectory": False,
    "webhook": None,
}

INPUT_ID = "in_9f86d081884c7d659a2feaa0c55ad015"

INPUT = {
    "id": INPUT_ID,
    "width": 768,
    "height": 512,
    "bytes": 412_007,
    "expires_at": "2026-11-29T10:00:00.000000Z",
}

IMAGE = {
    "index": 0,
    "url": f"https://images.example.com/tessera/local/{JOB_ID}/0.png?X-Amz-Signature=...",
    "url_expires_at": "2026-11-22T10:15:02.180000Z",
    "seed": 7,
    "width": 128,
    "height": 128,
    "format": "png",
    "bytes": 21874,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}

LINKS = {
    "self": f"https://images.example.com/v1/jobs/{JOB_ID}",
    "cancel": f"https://images.example.com/v1/jobs/{JOB_ID}/cancel",
    "events": f"https://images.example.com/v1/jobs/{JOB_ID}/events?token=aR3...",
}

TIMING = {
    "queue_ms": 12,
    "prepare_ms": 9,
    "denoise_ms": 810,
    "decode_ms": 31,
    "encode_ms": 4,
    "upload_ms": 13,
    "total_ms": 885,
}

QUEUED: dict[str, Any] = {
    "id": JOB_ID,
    "status": "queued",
    "created_at": "2026-11-22T10:00:00.000000Z",
    "started_at": None,
    "finished_at": None,
    "expires_at": None,
    "queue": {"position": 3, "eta_seconds": 4.2},
    "progress": {"step": 0, "steps": 0, "fraction": 0.0, "images_done": 0},
    "request": REQUEST,
    "images": [],
    "warnings": [],
    "error": None,
    "attempts": 0,
    "timing": dict.fromkeys(TIMING),
    "links": LINKS,
}

SUCCEEDED: dict[str, Any] = {
    **QUEUED,
    "status": "succeeded",
    "started_at": "2026-11-22T10:00:00.012000Z",
    "finished_at": "2026-11-22T10:00:00.897000Z",
    "expires_at": "2026-11-29T10:00:00.897000Z",
    "queue": None,
    "progress": {"step": 20, "steps": 20, "fraction": 1.0, "images_done": 1},
    "images": [IMAGE],
    "attempts": 1,
    "timing": TIMING,
}

CANCELED = {**QUEUED, "status": "canceled", "queue": None}

MODEL = {
    "id": "emoji",
    "title": "Emoji",
    "family": "sd",
    "loaded": True,
    "default": True,
    "defaults": {
        "width": 128,
        "height": 128,
        "steps": 20,
        "guidance_scale": 3.0,
        "sampler": "dpmpp_2m",
        "schedule": "default",
        "negative_prompt": "",
    },
    "limits": {
        "max_side": 256,
        "max_pixels": 65536,
        "max_cost": 2000.0,
        "max_controls": 4,
        "max_loras": 4,
    },
    "controls": ["canny"],
    "loras": ["line-art"],
    "embeddings": [],
    "workers": [
        {"bytes": 37_500_000, "max_rows": 8, "attention": "sdpa", "image_seconds": 1.9},
    ],
}

SAMPLER = {
    "name": "dpmpp_2m",
    "label": "DPM++ 2M",
    "aliases": ["DPM++ 2M", "DPM++ 2M Karras"],
    "prediction": "diffusion",
    "schedules": ["default", "karras"],
    "min_steps": 1,
    "max_steps": 150,
    "calls_per_step": 1,
    "uses_eta": False,
}

PROBLEM = {
    "type": "/problems/invalid_request",
    "title": "Unprocessable Content",
    "status": 422,
    "detail": "the request has fields that are missing or wrong",
    "instance": "urn:tessera:request:req_5b0c1d2e3f405162",
    "code": "invalid_request",
    "request_id": "req_5b0c1d2e3f405162",
    "errors": [
        {
            "field": "cfg_scale",
            "code": "unknown_field",
            "detail": "not a known field; use `guidance_scale`",
        }
    ],
}

EVENTS = (
    'id: 1763805600000-0\nevent: status\ndata: {"id": "' + JOB_ID + '", "status": "queued"}\n\n'
    'id: 1763805600012-0\nevent: status\ndata: {"status": "running", "attempts": 1}\n\n'
    'event: progress\ndata: {"step": 7, "steps": 20, "fraction": 0.35, "images_done": 0}\n\n'
)


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
MODEL_RESPONSES: Responses = {200: _json("All models.", _list(MODEL)), **PROBLEMS}
SAMPLER_RESPONSES: Responses = {200: _json("All samplers.", _list(SAMPLER)), **PROBLEMS}
LIVE_RESPONSES: Responses = {200: _json("Alive.", {"status": "ok"})}
READY_RESPONSES: Responses = {200: _json("Ready.", {"status": "ok"}), **PROBLEMS}
MEANING = {
    "code": "queue_full",
    "status": 429,
    "retryable": True,
    "meaning": "The system has as much queued as it takes.",
}
PROBLEM_RESPONSES: Responses = {200: _json("What it means.", MEANING), **PROBLEMS}
EVENT_RESPONSES: Responses = {
    200: {"description": "The events.", "content": {"text/event-stream": {"example": EVENTS}}},
    204: {"description": "The job has ended, and the client has its last event."},
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
