"""One example of each thing that is sent or answered, for OpenAPI."""

from typing import Any

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
    "trajectory": None,
}

LINKS = {
    "self": f"https://images.example.com/v1/jobs/{JOB_ID}",
    "cancel": f"https://images.example.com/v1/jobs/{JOB_ID}/cancel",
    "events": f"https://images.example.com/v1/jobs/{JOB_ID}/events?token=aR3...",
    "preview": f"https://images.example.com/v1/jobs/{JOB_ID}/preview?token=aR3...",
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
        {
            "bytes": 37_500_000,
            "max_rows": 8,
            "tick_seconds": {"1": 0.021, "2": 0.032, "4": 0.055, "8": 0.104},
            "attention": "sdpa-flash-cpu",
            "attention_shapes": {"4x256x256x32": "sdpa-flash-cpu"},
            "forms": {"unet_4": "compiled", "unet_2": "building"},
            "float8": False,
            "image_seconds": 1.9,
        },
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
    'event: preview\ndata: {"index": 0, "step": 10, "steps": 20, "content_type": "image/jpeg",'
    ' "bytes": 4711, "url": "' + LINKS["preview"] + '"}\n\n'
)

MEANING = {
    "code": "queue_full",
    "status": 429,
    "retryable": True,
    "meaning": "The system has as much queued as it takes.",
}

DELIVERY = {
    "id": f"msg_{JOB_ID.removeprefix('job_')}_succeeded",
    "job_id": JOB_ID,
    "type": "job.succeeded",
    "url": "https://shop.example.com/hooks/pictures",
    "status": "delivered",
    "created_at": "2026-11-22T10:00:00.897000Z",
    "next_try_at": None,
    "tries": [{"at": "2026-11-22T10:00:00.921000Z", "status": 204}],
}
