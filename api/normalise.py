"""From a legal body and a model's entry to the GenerationRequest, every default filled in."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from api.body import SEEDS, JobBody, OutputBody, WebhookBody
from shared.capabilities import SamplerCapability
from shared.catalog import Catalog, ModelEntry, ModelLimits
from shared.errors import FieldError, InvalidRequest
from shared.job import JobWarning
from shared.request import GenerationRequest, Output, OutputFormat, Webhook

SIDE_MULTIPLE = 8  # pixels; a latent of every supported family halves a side three times
MIN_SIDE = 64
DEFAULT_QUALITY = 90

_T = TypeVar("_T")


@dataclass(frozen=True)
class Normalised:
    """A complete request, and what was done otherwise than asked."""

    request: GenerationRequest
    warnings: tuple[JobWarning, ...]


def normalise(
    body: JobBody,
    catalog: Catalog,
    samplers: Mapping[str, SamplerCapability],
    default_format: OutputFormat = OutputFormat.PNG,
) -> Normalised:
    """Fill in and check against the model. `default_format` is what `Accept` asks for.

    Raises:
        InvalidRequest: names every field that the model does not allow.
    """
    entry = catalog.get(body.model or catalog.default)
    if entry is None:
        error = FieldError("model", "unknown_model", f"one of: {', '.join(catalog.ids)}")
        raise InvalidRequest("that model is not configured here", errors=(error,))
    errors: list[FieldError] = []
    warnings: list[JobWarning] = []
    defaults = entry.defaults
    sampler = _given(body.sampler, defaults.sampler)
    capability = samplers.get(sampler)
    request = GenerationRequest(
        model=entry.id,
        prompt=body.prompt,
        negative_prompt=_given(body.negative_prompt, defaults.negative_prompt),
        width=_given(body.width, defaults.width),
        height=_given(body.height, defaults.height),
        num_images=body.num_images,
        steps=_given(body.steps, defaults.steps),
        guidance_scale=_given(body.guidance_scale, defaults.guidance_scale),
        sampler=sampler,
        schedule=_given(body.schedule, _default_schedule(defaults.schedule, capability)),
        eta=_given(body.eta, 0.0),
        seed=secrets.randbelow(SEEDS) if body.seed is None else body.seed,
        output=_output(body.output or OutputBody(format=default_format), warnings),
        priority=body.priority,
        deadline_seconds=body.deadline_seconds,
        reproducible=body.reproducible,
        metadata=body.metadata,
        webhook=_webhook(body.webhook),
    )
    errors += _size_errors(request, entry.limits)
    if capability is None:
        known = ", ".join(samplers)
        errors.append(FieldError("sampler", "unknown_sampler", f"one of: {known}"))
    else:
        errors += _sampler_errors(request, capability)
        if body.eta and not capability.uses_eta:
            warnings.append(JobWarning(code="option_ignored", detail="the sampler has no `eta`"))
    if not errors and request.cost > entry.limits.max_cost:
        errors.append(_over_budget(request, entry))
    if errors:
        raise InvalidRequest("the model does not allow this request", errors=tuple(errors))
    return Normalised(request, tuple(warnings))


def _given(value: _T | None, default: _T) -> _T:
    return default if value is None else value


def _default_schedule(preferred: str, capability: SamplerCapability | None) -> str:
    # The model's default schedule goes with its default sampler; another may not have it.
    if capability is None or preferred in capability.schedules:
        return preferred
    return capability.schedules[0]


def _output(output: OutputBody, warnings: list[JobWarning]) -> Output:
    if output.format is OutputFormat.PNG and output.quality not in (None, DEFAULT_QUALITY):
        warnings.append(JobWarning(code="option_ignored", detail="PNG has no `quality`"))
    return Output(format=output.format, quality=_given(output.quality, DEFAULT_QUALITY))


def _webhook(webhook: WebhookBody | None) -> Webhook | None:
    if webhook is None:
        return None
    return Webhook(url=webhook.url, events=tuple(dict.fromkeys(webhook.events)))


def _size_errors(request: GenerationRequest, limits: ModelLimits) -> list[FieldError]:
    errors = []
    for field, side in (("width", request.width), ("height", request.height)):
        legal = nearest_sides(side, limits.max_side)
        if side not in legal:
            nearest = " or ".join(str(value) for value in legal)
            rule = f"a multiple of {SIDE_MULTIPLE} from {MIN_SIDE} to {limits.max_side}"
            errors.append(FieldError(field, "illegal_size", f"{rule}; nearest: {nearest}"))
    if not errors and request.width * request.height > limits.max_pixels:
        width, height = nearest_area(request.width, request.height, limits.max_pixels)
        detail = f"at most {limits.max_pixels} pixels; nearest: {width} x {height}"
        errors.append(FieldError("width", "too_many_pixels", detail))
    return errors


def nearest_sides(side: int, max_side: int) -> tuple[int, ...]:
    """The legal sides next to `side`: itself alone where it is legal."""
    largest = _floor(max_side)
    below = min(max(_floor(side), MIN_SIDE), largest)
    above = min(below + SIDE_MULTIPLE, largest)
    return (below,) if side <= below or below == above else (below, above)


def nearest_area(width: int, height: int, max_pixels: int) -> tuple[int, int]:
    """A legal size of about the same shape that has no more than `max_pixels`."""
    scale = (max_pixels / (width * height)) ** 0.5
    short = max(MIN_SIDE, _floor(int(min(width, height) * scale)))
    long = _floor(min(max(width, height), max_pixels // short))
    return (short, long) if width <= height else (long, short)


def _floor(side: int) -> int:
    return side - side % SIDE_MULTIPLE


def _sampler_errors(request: GenerationRequest, capability: SamplerCapability) -> list[FieldError]:
    errors = []
    if request.schedule not in capability.schedules:
        known = ", ".join(capability.schedules)
        errors.append(FieldError("schedule", "unknown_schedule", f"one of: {known}"))
    if not capability.min_steps <= request.steps <= capability.max_steps:
        detail = f"this sampler takes {capability.min_steps} to {capability.max_steps} steps"
        errors.append(FieldError("steps", "illegal_steps", detail))
    return errors


def _over_budget(request: GenerationRequest, entry: ModelEntry) -> FieldError:
    detail = (
        f"costs {request.cost:.0f}, the model allows {entry.limits.max_cost:.0f}"
        " (rows x steps x megapixels x images)"
    )
    return FieldError("steps", "over_budget", detail)
