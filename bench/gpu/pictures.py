"""G2, G3 and G7: decoding, one picture alone, and many unlike ones as fast as can be."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch

from bench.gpu.subjects import Subject
from bench.gpu.timing import interleaved, seconds, serving, spread
from bench.gpu.unet import PEAK_TERAFLOPS
from worker.engine.engine import Engine
from worker.engine.sample import Kind, Sample
from worker.models.building import FormPlan
from worker.models.compiling import compile_fixed
from worker.models.forms import Form
from worker.models.image import Decoding
from worker.models.resident import ResidentModel

VAE_TERAFLOPS = {"sd15": 2.515, "sdxl": 10.470}  # at the true sizes
STEPS = (20, 30, 50)
OFFLINE_PICTURES = 32
OFFLINE_STEPS = 20
ROUNDS = 5
FORM_ROWS = (2, 4, 8, 16)


def all_forms(subject: Subject) -> FormPlan:
    """As a worker would have them with everything on; one where a CPU compiles them."""
    return FormPlan(compiled=True, graphs=True, rows=FORM_ROWS[: 1 if subject.tiny else None])


def build_forms(model: ResidentModel, engine: Engine, plan: FormPlan) -> dict[str, str]:
    """Build them all now; their states."""
    states: dict[str, str] = {}
    model.readiness.build_forms(
        engine, plan, model.held, lambda form, state: states.update({form: state}), lambda: False
    )
    return states


def decode(subject: Subject) -> dict[str, Any]:
    """G2: milliseconds a picture by type, layout and batch, and of the least that FLOPs allow."""
    model = subject.load()
    vae = model.readiness.autoencoder.vae
    side = subject.side // 8
    found: dict[str, Any] = {"floor_ms": VAE_TERAFLOPS[subject.name] / PEAK_TERAFLOPS * 1000}
    with torch.inference_mode():
        for count in (1,) if subject.tiny else (1, 4, 8):
            latents = torch.randn(count, 4, side, side, device=vae.device, dtype=vae.dtype)
            compiled = Form(compile_fixed(_decoder(vae)), [latents])
            compiled.build()
            ways: dict[str, Callable[[], object]] = {
                "ours": partial(_decoder(vae), latents),
                "compiled": partial(compiled, latents),
            }
            found[f"batch_{count}"] = interleaved(ways)
        full = subject.pipeline().vae.float()
        latents = torch.randn(1, 4, side, side, device=full.device)
        found["upcast_to_fp32"] = interleaved({"diffusers": partial(_decoder(full), latents)})
    latent = torch.randn(4, side, side, device=vae.device)
    found["to_pixels_on_the_host"] = interleaved({"ours": partial(model.decode, latent)})
    model.close()
    return found


def alone(subject: Subject) -> dict[str, Any]:
    """G3: seconds from request to pixels, one picture at a time, by us and by diffusers."""
    pipeline = subject.pipeline()
    found: dict[str, Any] = {}
    model = subject.load()
    with serving(model) as engine:
        for built in (False, True):
            if built:
                found["forms"] = build_forms(model, engine, all_forms(subject))
            for steps in STEPS[: 1 if subject.tiny else None]:
                ways: dict[str, Callable[[], object]] = {
                    "engine": partial(_picture, model, engine, subject, steps),
                    "diffusers": partial(
                        pipeline,
                        "a red apple",
                        width=subject.side,
                        height=subject.side,
                        num_inference_steps=steps,
                        output_type="np",
                    ),
                }
                found[f"{'compiled' if built else 'eager'}_{steps}_steps"] = interleaved(ways)
    return found


def offline(subject: Subject) -> dict[str, Any]:
    """G7: unlike requests of twenty steps, all there at once: pictures a second, to the pixels."""
    found: dict[str, Any] = {}
    count = 4 if subject.tiny else OFFLINE_PICTURES
    for float8 in (False, True):
        model = subject.load(float8=float8)
        with serving(model) as engine, ExitStack() as stack:
            stack.callback(torch.cuda.empty_cache)
            forms = build_forms(model, engine, all_forms(subject))
            rates = []
            for _ in range(ROUNDS):
                samples = [
                    model.prepare(
                        f"job_{seed}",
                        subject.request(
                            seed=seed,
                            prompt=f"a picture, number {seed}",
                            steps=OFFLINE_STEPS,
                            guidance_scale=(7.5, 8.0, 5.0)[seed % 3],
                        ),
                        seed,
                        Kind.ORDINARY,
                    )[0][0]
                    for seed in range(count)
                ]

                rates.append(count / seconds(partial(_finish, model, engine, samples)))
            found["float8" if float8 else "fp16"] = {
                "pictures_per_second": spread(rates),
                "of_2.04": spread([rate / 2.04 for rate in rates]),
                "of_1.64": spread([rate / 1.64 for rate in rates]),
                "forms": forms,
                "max_rows": model.stepper.max_rows,
            }
    return found


def _picture(model: ResidentModel, engine: Engine, subject: Subject, steps: int) -> None:
    samples, _ = model.prepare("job", subject.request(steps=steps), 0, Kind.ORDINARY)
    engine.submit(samples)
    model.decode(samples[0].finished.result(), Decoding.FAST)


def _finish(model: ResidentModel, engine: Engine, samples: Sequence[Sample]) -> None:
    engine.submit(samples)
    for sample in samples:
        model.decode(sample.finished.result(), Decoding.FAST)


def _decoder(vae: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    def decoder(latents: torch.Tensor) -> torch.Tensor:
        picture: torch.Tensor = vae.decoder(vae.post_quant_conv(latents))
        return picture

    return decoder
