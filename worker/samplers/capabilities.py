"""Writes what the gateway must know of the samplers without torch.

`python -m worker.samplers.capabilities` writes the file; `--check` says whether it is current.
"""

import argparse
from bisect import bisect_left
from collections.abc import Mapping
from inspect import signature
from typing import Any

from shared.capabilities import CAPABILITIES_FILE, Prediction, SamplerCapability
from worker.samplers.catalog import SAMPLERS, Sampler
from worker.samplers.tables import build_table

# What a request may ask for at all.
MAX_STEPS = 150

# Stable Diffusion's noise schedule, by which all models of the family are sampled, and the
# simplest one of flow matching.
TYPICAL_SCHEDULERS: Mapping[Prediction, Mapping[str, Any]] = {
    Prediction.DIFFUSION: {
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "num_train_timesteps": 1000,
        "steps_offset": 1,
        "timestep_spacing": "leading",
        "prediction_type": "epsilon",
    },
    Prediction.FLOW: {
        "_class_name": "FlowMatchEulerDiscreteScheduler",
        "num_train_timesteps": 1000,
        "shift": 3.0,
    },
}


def capability(name: str, sampler: Sampler) -> SamplerCapability:
    """The sampler's line; the limits of its steps are found by building its tables."""
    scheduler: Any = sampler.scheduler
    least = max(_least_steps(name, schedule) for schedule in sampler.schedules)
    return SamplerCapability(
        name=name,
        label=sampler.label,
        prediction=sampler.prediction,
        schedules=sampler.schedules,
        min_steps=least,
        max_steps=_most_steps(name, least),
        calls_per_step=scheduler.order,
        uses_eta="eta" in signature(scheduler.step).parameters,
    )


def render() -> str:
    """The file's text: one sampler a line."""
    lines = [capability(name, sampler).model_dump_json() for name, sampler in SAMPLERS.items()]
    return "[\n  " + ",\n  ".join(lines) + "\n]\n"


def _least_steps(name: str, schedule: str) -> int:
    return next(steps for steps in range(1, MAX_STEPS) if _is_possible(name, schedule, steps))


def _most_steps(name: str, least: int) -> int:
    # Beyond the most every number is refused: how many steps a model was distilled for.
    if _is_possible(name, "default", MAX_STEPS):
        return MAX_STEPS
    numbers = range(least, MAX_STEPS)
    refused = bisect_left(numbers, True, key=lambda n: not _is_possible(name, "default", n))
    return numbers[refused] - 1


def _is_possible(name: str, schedule: str, steps: int) -> bool:
    config = TYPICAL_SCHEDULERS[SAMPLERS[name].prediction]
    try:
        build_table(config, name, schedule, steps)
    except ValueError:
        return False
    return True


def main() -> int:
    """Write or check the file; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 when stale")
    text = render()
    if parser.parse_args().check:
        return 0 if CAPABILITIES_FILE.read_text(encoding="utf-8") == text else 1
    CAPABILITIES_FILE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
