"""Writes what the gateway must know of the samplers without torch.

`python -m worker.samplers.capabilities` writes the file; `--check` says whether it is current.
"""

import argparse
import json
from dataclasses import asdict
from inspect import signature
from pathlib import Path

import shared.capabilities
from shared.capabilities import SamplerCapability
from worker.samplers.catalog import SAMPLERS
from worker.samplers.tables import build_table

PATH = Path(shared.capabilities.__file__).with_name("sampler_capabilities.json")

MAX_STEPS = 150

# Stable Diffusion's noise schedule, by which all models of the family are sampled.
SD_SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "steps_offset": 1,
    "timestep_spacing": "leading",
    "prediction_type": "epsilon",
}


def capabilities() -> list[SamplerCapability]:
    """One for each sampler, found by building its tables."""
    return [
        SamplerCapability(
            name=name,
            schedules=sampler.schedules,
            min_steps=max(_least_steps(name, schedule) for schedule in sampler.schedules),
            max_steps=MAX_STEPS,
            uses_eta="eta" in signature(sampler.scheduler.step).parameters,  # type: ignore[attr-defined]
        )
        for name, sampler in SAMPLERS.items()
    ]


def render(found: list[SamplerCapability]) -> str:
    """The file's text: one sampler a line."""
    return "[\n  " + ",\n  ".join(json.dumps(asdict(one)) for one in found) + "\n]\n"


def _least_steps(sampler: str, schedule: str) -> int:
    """The smallest number of steps that has a finite trajectory."""
    for steps in range(1, MAX_STEPS):
        try:
            build_table(SD_SCHEDULER, sampler, schedule, steps)
        except ValueError:
            continue
        return steps
    raise AssertionError(f"{sampler} with the schedule {schedule} has no finite trajectory")


def main() -> int:
    """Write or check the file; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 when stale")
    text = render(capabilities())
    if parser.parse_args().check:
        return 0 if PATH.read_text(encoding="utf-8") == text else 1
    PATH.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
