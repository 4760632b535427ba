"""Latents from the engine beside those of diffusers' own pipelines."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from shared.request import Control, GenerationRequest, InputRef
from worker.engine.batcher import Batcher
from worker.engine.engine import Engine, TickReport
from worker.engine.rows import ROW_BUCKETS
from worker.engine.sample import Kind, Sample
from worker.engine.stepper import Stepper
from worker.inputs import Inputs
from worker.models.resident import ResidentModel
from worker.samplers.catalog import make_scheduler

PATIENCE = 100  # seconds


def reference(picture: Image.Image, name: str) -> InputRef:
    """What a request would name this picture by."""
    return InputRef(id=name, width=picture.width, height=picture.height)


def control(name: str, picture: Image.Image, **fields: Any) -> Control:
    """A control of that type with this picture, whose id is the type."""
    return Control(type=name, image=reference(picture, name), **fields)


@contextmanager
def stepping(
    model: ResidentModel, observe: Callable[[TickReport], None] = lambda report: None
) -> Iterator[Engine]:
    """An engine for this model alone, as wide as can be."""
    model.stepper.max_rows = ROW_BUCKETS[-1]
    steppers: dict[str, Stepper] = {model.entry.id: model.stepper}
    batcher = Batcher(lambda _: model.stepper.max_rows)
    engine = Engine(batcher, steppers, observe, torch.inference_mode)
    engine.start()
    yield engine
    engine.stop()


def prepare(
    model: ResidentModel,
    request: GenerationRequest,
    pictures: Mapping[str, Image.Image],
    job_id: str = "job",
    sequence: int = 0,
    kind: Kind = Kind.ORDINARY,
) -> list[Sample]:
    """The samples of a request whose input pictures have these ids."""
    fitted = Inputs(request, pictures).fitted(request.width, request.height)
    samples, _ = model.prepare(job_id, request, sequence, kind, pictures=fitted)
    return samples


def generate(
    model: ResidentModel,
    engine: Engine,
    requests: Sequence[GenerationRequest],
    pictures: Mapping[str, Image.Image] | None = None,
    kind: Kind = Kind.ORDINARY,
) -> list[Tensor]:
    """The final latents of these jobs, run together."""
    samples = []
    for number, request in enumerate(requests):
        samples += prepare(model, request, pictures or {}, f"job_{number}", number, kind)
    engine.submit(samples)
    return [sample.finished.result(PATIENCE) for sample in samples]


def by_diffusers(pipeline: Any, request: GenerationRequest, **inputs: Any) -> Tensor:
    """The final latent that a diffusers script would get, with its own scheduler.

    `inputs` are arguments of the pipeline, beside those that every pipeline has or instead.
    """
    pipeline.set_progress_bar_config(disable=True)
    own = pipeline.scheduler
    pipeline.scheduler = make_scheduler(own.config, request.sampler, request.schedule)
    usual = {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "num_inference_steps": request.steps,
        "guidance_scale": request.guidance_scale,
        "eta": request.eta,
        "generator": torch.Generator("cpu").manual_seed(request.seed),
        "output_type": "latent",
    }
    latent: Tensor = pipeline(**usual | inputs).images[0]
    pipeline.scheduler = own
    return latent


def relative(found: Tensor, expected: Tensor) -> float:
    """The largest difference, as a share of the largest latent."""
    return float((found - expected).abs().max() / expected.abs().max())
