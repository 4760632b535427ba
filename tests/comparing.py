"""Runs jobs through an engine and through diffusers' own pipeline, to be compared."""

import torch

from worker.engine.sample import Kind
from worker.samplers.catalog import make_scheduler

PATIENCE = 100  # seconds


def generate(model, engine, requests, kind=Kind.ORDINARY):
    """The final latents of these jobs, run together."""
    samples = []
    for number, request in enumerate(requests):
        prepared, _ = model.prepare(f"job_{number}", request, number, kind)
        samples += prepared
    engine.submit(samples)
    return [sample.finished.result(PATIENCE) for sample in samples]


def by_diffusers(pipeline, model_config, request, **arguments):
    """The latent that the pipeline makes of the request."""
    pipeline.scheduler = make_scheduler(model_config, request.sampler, request.schedule)
    facts = {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "width": request.width,
        "height": request.height,
        "num_inference_steps": request.steps,
        "guidance_scale": request.guidance_scale,
        "eta": request.eta,
        "clip_skip": request.clip_skip or None,
        "generator": torch.Generator("cpu").manual_seed(request.seed),
        "output_type": "latent",
    }
    return pipeline(**facts | arguments).images[0]


def relative(found, expected):
    """The largest difference, as a share of the largest value expected."""
    return float((found - expected).abs().max() / expected.abs().max())
