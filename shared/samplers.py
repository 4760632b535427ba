"""The samplers and schedules by name: ours, and those that other tools know them by."""

import json
from collections.abc import Mapping

from shared.capabilities import CAPABILITIES_FILE, SamplerCapability

# AUTOMATIC1111's names. Its "Automatic" is the Karras schedule for some samplers, "Uniform" never;
# its "Simple" and "SGM Uniform" differ by a thousandth of the way, "Normal" and "Uniform" likewise.
SCHEDULE_LABELS = {
    "default": "Uniform",
    "karras": "Karras",
    "exponential": "Exponential",
    "beta": "Beta",
    "sgm_uniform": "SGM Uniform",
}
_SCHEDULE_NAMES = {
    **{name: name for name in SCHEDULE_LABELS},
    **{label.casefold(): name for name, label in SCHEDULE_LABELS.items()},
    "automatic": "default",
    "normal": "default",
    "simple": "sgm_uniform",
}


def _read() -> Mapping[str, SamplerCapability]:
    rows = json.loads(CAPABILITIES_FILE.read_text(encoding="utf-8"))
    return {row["name"]: SamplerCapability.model_validate(row) for row in rows}


SAMPLERS = _read()


def sampler_aliases(capability: SamplerCapability) -> tuple[str, ...]:
    """Its other names: AUTOMATIC1111's, alone and with each of its schedules behind."""
    label = capability.label
    schedules = [name for name in capability.schedules if name != "default"]
    return (label, *(f"{label} {SCHEDULE_LABELS[name]}" for name in schedules))


def find_schedule(text: str) -> str | None:
    """Our name of a schedule called by any of its names, in any case; None where there is none."""
    return _SCHEDULE_NAMES.get(text.casefold())


def find_sampler(
    text: str, samplers: Mapping[str, SamplerCapability]
) -> tuple[SamplerCapability | None, str | None]:
    """The sampler called by any of its names, and the schedule where the name says one.

    So "DPM++ 2M Karras" is (dpmpp_2m, karras). Whether the two go together is not looked at.
    """
    if text in samplers:  # as nearly everybody calls it
        return samplers[text], None
    called = text.casefold()
    for capability in samplers.values():
        for name in (capability.name, capability.label.casefold()):
            if called == name:
                return capability, None
            rest = called.removeprefix(f"{name} ")
            if rest != called and (schedule := find_schedule(rest)):
                return capability, schedule
    return None, None
