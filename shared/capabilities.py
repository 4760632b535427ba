"""What each sampler can be combined with, from a table that the worker's code generates."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SamplerCapability:
    """One sampler as the gateway knows it, without torch."""

    name: str
    schedules: tuple[str, ...]
    min_steps: int
    max_steps: int
    uses_eta: bool


def _read() -> Mapping[str, SamplerCapability]:
    text = Path(__file__).with_name("sampler_capabilities.json").read_text(encoding="utf-8")
    rows = json.loads(text)
    return {
        row["name"]: SamplerCapability(**{**row, "schedules": tuple(row["schedules"])})
        for row in rows
    }


SAMPLERS = _read()
