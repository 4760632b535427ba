"""G9: how far each technique's pictures are from those of the plain model, in decibels."""

from typing import Any

import torch

from bench.gpu.pictures import build_forms
from bench.gpu.subjects import Subject
from bench.gpu.timing import serving
from worker.engine.engine import Engine
from worker.engine.rows import ROW_BUCKETS
from worker.engine.sample import Kind
from worker.models.attention import AttentionChoice, candidates, use_attention
from worker.models.building import FormPlan
from worker.models.device import Attention
from worker.models.float8 import decibels
from worker.models.image import Decoding
from worker.models.resident import ResidentModel

SEEDS = (0, 1, 2, 3)


def run(subject: Subject) -> dict[str, Any]:
    """PSNR against the plain model; `another_batch` is what it differs from itself by."""
    model = subject.load()
    found: dict[str, float] = {}
    with serving(model) as engine:
        model.stepper.max_rows = ROW_BUCKETS[-1]
        use_attention(model.unet, AttentionChoice())
        plain = _pictures(model, engine, subject)
        wide = _pictures(model, engine, subject, copies=2)
        found["another_batch"] = decibels(plain, wide)
        for name in candidates(model.readiness.device, Attention.AUTO):
            use_attention(model.unet, AttentionChoice(otherwise=name))
            found[name] = decibels(plain, _pictures(model, engine, subject))
        use_attention(model.unet, AttentionChoice())
        for name, plan in (
            ("graph", FormPlan(graphs=True, rows=(8,))),
            ("compiled", FormPlan(compiled=True, rows=(8,))),
        ):
            build_forms(model, engine, plan)
            found[name] = decibels(plain, _pictures(model, engine, subject))
            model.stepper.forms.clear()
    eight = subject.load(float8=True)
    with serving(eight) as engine:
        eight.stepper.max_rows = ROW_BUCKETS[-1]
        found["float8"] = decibels(plain, _pictures(eight, engine, subject))
    return {name: round(value, 2) for name, value in found.items()}


def _pictures(model: ResidentModel, engine: Engine, subject: Subject, copies: int = 1) -> list[Any]:
    """Four guided pictures in one batch of eight rows, or of more with copies of them."""
    samples = [
        model.prepare("job", subject.request(seed=seed), number, Kind.ORDINARY)[0][0]
        for number, seed in enumerate(SEEDS * copies)
    ]
    with torch.inference_mode():
        engine.submit(samples)
        latents = [sample.finished.result() for sample in samples[: len(SEEDS)]]
    return [model.decode(latent, Decoding.FAST) for latent in latents]
