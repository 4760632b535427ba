"""The request that benchmarks vary: a guided picture of the usual kind."""

from typing import Any

from shared.request import GenerationRequest, Output, Priority

USUAL: dict[str, Any] = {
    "model": "bench",
    "prompt": "a red apple",
    "negative_prompt": "",
    "width": 512,
    "height": 512,
    "num_images": 1,
    "steps": 20,
    "guidance_scale": 7.5,
    "sampler": "dpmpp_2m",
    "schedule": "default",
    "eta": 0.0,
    "seed": 0,
    "output": Output(),
    "priority": Priority.NORMAL,
    "deadline_seconds": None,
    "reproducible": False,
    "metadata": {},
}


def request(**changes: Any) -> GenerationRequest:
    """The usual request with these fields instead."""
    return GenerationRequest(**USUAL | changes)
