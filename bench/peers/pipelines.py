"""Pictures by diffusers' pipeline, used as its documentation shows it."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import StableDiffusionPipeline
from pydantic import BaseModel

MODEL = Path(__file__).parents[2] / "models" / "emoji"
SCHEDULERS = {
    "euler": "EulerDiscreteScheduler",
    "dpmpp_2m": "DPMSolverMultistepScheduler",
    "unipc": "UniPCMultistepScheduler",
}


class Body(BaseModel):
    """A request, in the names of our own API."""

    prompt: str
    steps: int
    sampler: str
    guidance_scale: float
    seed: int


def load() -> Any:
    """The pipeline of the bundled model."""
    pipeline = StableDiffusionPipeline.from_pretrained(MODEL)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def draw(pipeline: Any, bodies: Sequence[Body]) -> list[bytes]:
    """PNG files of requests that differ in prompt and seed alone, in one batch."""
    first = bodies[0]
    scheduler = getattr(diffusers, SCHEDULERS[first.sampler])
    pipeline.scheduler = scheduler.from_config(pipeline.scheduler.config)
    images = pipeline(
        [body.prompt for body in bodies],
        num_inference_steps=first.steps,
        guidance_scale=first.guidance_scale,
        generator=[_generator(body.seed) for body in bodies],
    ).images
    return [_png(image) for image in images]


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _png(image: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    return stream.getvalue()
