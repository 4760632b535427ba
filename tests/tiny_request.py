"""A complete request for the tiny model, to be varied."""

from typing import Any

from shared.request import GenerationRequest, Output, Priority


def tiny_request(**changes: Any) -> GenerationRequest:
    facts = {
        "model": "tiny",
        "prompt": "a red apple",
        "negative_prompt": "",
        "width": 64,
        "height": 64,
        "num_images": 1,
        "steps": 8,
        "guidance_scale": 7.5,
        "sampler": "dpmpp_2m",
        "schedule": "default",
        "eta": 0.0,
        "seed": 1,
        "output": Output(),
        "priority": Priority.NORMAL,
        "deadline_seconds": None,
        "reproducible": False,
        "metadata": {},
    }
    return GenerationRequest(**facts | changes)
