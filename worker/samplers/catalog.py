"""The samplers by name: each is a diffusers scheduler and its configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    UniPCMultistepScheduler,
)

SCHEDULES: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "karras": {"use_karras_sigmas": True},
}

# Not linear, and meant for models of pixels.
UNCLIPPED = {"clip_sample": False, "thresholding": False}


@dataclass(frozen=True)
class Sampler:
    """A diffusers class, what its configuration has besides the model's, and its schedules."""

    scheduler: type
    schedules: tuple[str, ...] = ("default",)
    options: Mapping[str, Any] = field(default_factory=dict)


SAMPLERS: Mapping[str, Sampler] = {
    "euler": Sampler(EulerDiscreteScheduler, ("default", "karras")),
    "euler_a": Sampler(EulerAncestralDiscreteScheduler),
    "ddim": Sampler(DDIMScheduler),
    "dpmpp_2m": Sampler(
        DPMSolverMultistepScheduler,
        ("default", "karras"),
        {"algorithm_type": "dpmsolver++", "solver_order": 2},
    ),
    "unipc": Sampler(UniPCMultistepScheduler, ("default", "karras"), {"solver_order": 2}),
}


def make_scheduler(model_config: Mapping[str, Any], sampler: str, schedule: str) -> Any:
    """A fresh diffusers scheduler for a model's scheduler configuration.

    Raises KeyError for names that are not in the catalog or do not go together.
    """
    chosen = SAMPLERS[sampler]
    if schedule not in chosen.schedules:
        raise KeyError(schedule)
    options = {**chosen.options, **SCHEDULES[schedule], **UNCLIPPED}
    return chosen.scheduler.from_config(dict(model_config), **options)  # type: ignore[attr-defined]
