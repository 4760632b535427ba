"""What a sampler can be combined with: one line of the table that the worker's code generates."""

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict

CAPABILITIES_FILE = Path(__file__).with_name("sampler_capabilities.json")


class Prediction(StrEnum):
    """The kind of model that a sampler is made for."""

    DIFFUSION = "diffusion"  # predicts the noise, or the velocity of a noise schedule
    FLOW = "flow"  # predicts the straight way from picture to noise


class SamplerCapability(BaseModel):
    """One sampler as the gateway knows it, without torch.

    `label` is AUTOMATIC1111's name; `calls_per_step` counts calls of the model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    label: str
    prediction: Prediction
    schedules: tuple[str, ...]
    min_steps: int
    max_steps: int
    calls_per_step: int
    uses_eta: bool
