"""How a picture was made, as text for its file: AUTOMATIC1111's lines, and JSON."""

import json
from importlib.metadata import version

from shared.request import GenerationRequest
from shared.samplers import SAMPLERS, SCHEDULE_LABELS

# What the picture depends on; the rest of a request is between client and service.
MAKING = (
    "model",
    "prompt",
    "negative_prompt",
    "width",
    "height",
    "steps",
    "guidance_scale",
    "sampler",
    "schedule",
    "eta",
    "reproducible",
)
# The same, told only where it was asked for. Input pictures are named, never held.
OPTIONS = (
    "image",
    "mask",
    "fit",
    "controls",
    "loras",
    "guidance_rescale",
    "clip_skip",
    "hires",
)


def parameters(request: GenerationRequest, index: int) -> str:
    """How image `index` was made, in the lines that AUTOMATIC1111's web UI writes and reads."""
    facts = {
        "Steps": request.steps,
        "Sampler": SAMPLERS[request.sampler].label,
        "Schedule type": SCHEDULE_LABELS[request.schedule],
        "CFG scale": f"{request.guidance_scale:g}",
        "Seed": request.image_seed(index),
        "Size": f"{request.width}x{request.height}",
        "Model": request.model,
        "Eta": f"{request.eta:g}",
        **_options(request),
        "Version": f"tessera {version('tessera')}",
    }
    lines = [request.prompt]
    if request.negative_prompt:
        lines.append(f"Negative prompt: {request.negative_prompt}")
    lines.append(", ".join(f"{name}: {value}" for name, value in facts.items()))
    return "\n".join(lines)


def as_json(request: GenerationRequest, index: int) -> str:
    """The request's part that made image `index`, with the image's own seed."""
    asked = {name for name in OPTIONS if getattr(request, name) != _default(name)}
    if request.image:
        asked.add("strength")
    facts = request.model_dump(mode="json", include={*MAKING, *asked})
    facts["seed"] = request.image_seed(index)
    return json.dumps({"version": version("tessera"), "request": facts}, ensure_ascii=False)


def _options(request: GenerationRequest) -> dict[str, str]:
    facts: dict[str, str] = {}
    if request.clip_skip:
        # There, 1 is the last layer.
        facts["Clip skip"] = f"{request.clip_skip + 1}"
    if request.image:
        facts["Denoising strength"] = f"{request.strength:g}"
    if request.hires:
        facts.setdefault("Denoising strength", f"{request.hires.strength:g}")
        facts["Hires upscale"] = f"{request.hires.scale:g}"
        facts["Hires steps"] = f"{request.hires.steps}"
        facts["Hires upscaler"] = "Latent (antialiased)"
    for number, control in enumerate(request.controls):
        module = control.type if control.preprocess else "none"
        facts[f"ControlNet {number}"] = (
            f'"Module: {module}, Model: {control.type}, Weight: {control.scale:g}, '
            f'Guidance Start: {control.start:g}, Guidance End: {control.end:g}"'
        )
    return facts


def _default(name: str) -> object:
    return GenerationRequest.model_fields[name].default
