"""From a legal body and a model's entry to the GenerationRequest, every default filled in."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from api.body import JobBody, OutputBody, WebhookBody
from api.conditioning import (
    NO_PICTURES,
    Pictures,
    asked_errors,
    conditioned_errors,
    conditioning,
    conditioning_warnings,
)
from api.fields import SEEDS
from api.sampler_choice import choose_sampler
from api.sizes import default_size, size_errors
from shared.capabilities import SamplerCapability
from shared.catalog import Catalog, ModelEntry
from shared.errors import FieldError, InvalidRequest
from shared.job import JobWarning
from shared.request import GenerationRequest, Output, OutputFormat, Webhook

DEFAULT_QUALITY = 90

_T = TypeVar("_T")


@dataclass(frozen=True)
class Normalised:
    """A complete request, and what was done otherwise than asked."""

    request: GenerationRequest
    warnings: tuple[JobWarning, ...]


def refuse_early(body: JobBody, catalog: Catalog) -> None:
    """Refuse what is wrong whatever the input pictures show, before they are fetched.

    Raises:
        InvalidRequest: names the wrong fields.
    """
    errors = asked_errors(body, _entry(body, catalog))
    if errors:
        raise _not_allowed(errors)


def normalise(
    body: JobBody,
    catalog: Catalog,
    samplers: Mapping[str, SamplerCapability],
    default_format: OutputFormat = OutputFormat.PNG,
    pictures: Pictures = NO_PICTURES,
) -> Normalised:
    """Fill in and check against the model. `default_format` is what `Accept` asks for.

    Raises:
        InvalidRequest: names every field that the model does not allow.
    """
    refuse_early(body, catalog)
    entry = _entry(body, catalog)
    errors: list[FieldError] = []
    warnings: list[JobWarning] = []
    defaults = entry.defaults
    width, height = _size(body, entry, pictures)
    steps = _given(body.steps, defaults.steps)
    choice = choose_sampler(body.sampler, body.schedule, steps, defaults, samplers)
    request = GenerationRequest(
        model=entry.id,
        prompt=body.prompt,
        negative_prompt=_given(body.negative_prompt, defaults.negative_prompt),
        width=width,
        height=height,
        num_images=body.num_images,
        steps=steps,
        guidance_scale=_given(body.guidance_scale, defaults.guidance_scale),
        sampler=choice.sampler,
        schedule=choice.schedule,
        eta=_given(body.eta, 0.0),
        seed=secrets.randbelow(SEEDS) if body.seed is None else body.seed,
        output=_output(body.output or OutputBody(format=default_format), warnings),
        priority=body.priority,
        deadline_seconds=body.deadline_seconds,
        reproducible=body.reproducible,
        metadata=body.metadata,
        webhook=_webhook(body.webhook),
        **conditioning(body, pictures, steps),
    )
    errors += size_errors(request.width, request.height, entry.limits)
    errors += conditioned_errors(request, entry.limits)
    warnings += conditioning_warnings(body, request)
    errors += choice.errors
    if body.eta and not choice.uses_eta:
        warnings.append(JobWarning(code="option_ignored", detail="the sampler has no `eta`"))
    if not errors and request.cost > entry.limits.max_cost:
        errors.append(_over_budget(request, entry))
    if errors:
        raise _not_allowed(errors)
    return Normalised(request, tuple(warnings))


def _entry(body: JobBody, catalog: Catalog) -> ModelEntry:
    entry = catalog.get(body.model or catalog.default)
    if entry is None:
        error = FieldError("model", "unknown_model", f"one of: {', '.join(catalog.ids)}")
        raise InvalidRequest("that model is not configured here", errors=(error,))
    return entry


def _not_allowed(errors: list[FieldError]) -> InvalidRequest:
    return InvalidRequest("the model does not allow this request", errors=tuple(errors))


def _size(body: JobBody, entry: ModelEntry, pictures: Pictures) -> tuple[int, int]:
    if body.width is None and body.height is None:
        return default_size(entry, pictures.image)
    defaults = entry.defaults
    return _given(body.width, defaults.width), _given(body.height, defaults.height)


def _given(value: _T | None, default: _T) -> _T:
    return default if value is None else value


def _output(output: OutputBody, warnings: list[JobWarning]) -> Output:
    if output.format is OutputFormat.PNG and output.quality not in (None, DEFAULT_QUALITY):
        warnings.append(JobWarning(code="option_ignored", detail="PNG has no `quality`"))
    return Output(format=output.format, quality=_given(output.quality, DEFAULT_QUALITY))


def _webhook(webhook: WebhookBody | None) -> Webhook | None:
    if webhook is None:
        return None
    return Webhook(url=webhook.url, events=tuple(dict.fromkeys(webhook.events)))


def _over_budget(request: GenerationRequest, entry: ModelEntry) -> FieldError:
    detail = (
        f"costs {request.cost:.0f}, the model allows {entry.limits.max_cost:.0f}"
        " (rows x calls of the model x megapixels x images)"
    )
    return FieldError("steps", "over_budget", detail)
