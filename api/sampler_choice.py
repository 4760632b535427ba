"""Which sampler and schedule a body asks for, by any of their names."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.capabilities import SamplerCapability
from shared.catalog import ModelDefaults
from shared.errors import FieldError
from shared.samplers import find_sampler, find_schedule


@dataclass(frozen=True)
class SamplerChoice:
    """Our names of what was chosen; meaningless where there are errors."""

    sampler: str
    schedule: str
    uses_eta: bool
    errors: tuple[FieldError, ...] = ()


def choose_sampler(
    sampler: str | None,
    schedule: str | None,
    steps: int,
    defaults: ModelDefaults,
    samplers: Mapping[str, SamplerCapability],
) -> SamplerChoice:
    """The choice of a body that says `sampler` and `schedule`, or nothing, for a model."""
    capability, named_schedule = find_sampler(sampler or defaults.sampler, samplers)
    if capability is None:
        error = FieldError("sampler", "unknown_sampler", f"one of: {', '.join(samplers)}")
        return SamplerChoice("", "", uses_eta=False, errors=(error,))
    asked = named_schedule
    errors = []
    if schedule is not None:
        asked = find_schedule(schedule) or ""
        if asked and named_schedule not in (None, asked):
            detail = f"`sampler` asks for {named_schedule}, `schedule` for {asked}; give one"
            errors.append(FieldError("schedule", "contradictory_schedule", detail))
    chosen = _default_schedule(defaults, capability) if asked is None else asked
    errors += _errors(capability, chosen, steps, _default_sampler(defaults, samplers))
    return SamplerChoice(capability.name, chosen, capability.uses_eta, tuple(errors))


def _default_schedule(defaults: ModelDefaults, capability: SamplerCapability) -> str:
    # The model's default schedule goes with its default sampler; another may not have it.
    if defaults.schedule in capability.schedules:
        return defaults.schedule
    return capability.schedules[0]


def _default_sampler(
    defaults: ModelDefaults, samplers: Mapping[str, SamplerCapability]
) -> SamplerCapability | None:
    return find_sampler(defaults.sampler, samplers)[0]


def _errors(
    capability: SamplerCapability, schedule: str, steps: int, default: SamplerCapability | None
) -> list[FieldError]:
    errors = []
    if schedule not in capability.schedules:
        known = ", ".join(capability.schedules)
        errors.append(FieldError("schedule", "unknown_schedule", f"one of: {known}"))
    if not capability.min_steps <= steps <= capability.max_steps:
        detail = f"this sampler takes {capability.min_steps} to {capability.max_steps} steps"
        errors.append(FieldError("steps", "illegal_steps", detail))
    # A worker serves a model only when its default sampler fits it.
    if default is not None and capability.prediction is not default.prediction:
        detail = f"the model needs a sampler of the kind {default.prediction.value}"
        errors.append(FieldError("sampler", "unsuited_sampler", detail))
    return errors
