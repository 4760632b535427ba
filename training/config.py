"""The training configuration: one TOML file, checked, as frozen dataclasses."""

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from training.errors import TrainingError

DEFAULT = Path(__file__).with_name("emoji.toml")


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Data(Section):
    first: list[str]
    subgroups: list[str]
    one_sided: list[str]
    held_out_every: int
    colourable: dict[str, list[str]]


class Vae(Section):
    channels: list[int]
    batch: int
    crop: int
    crop_steps: int
    steps: int
    decoder_steps: int
    learning_rate: float


class Denoiser(Section):
    channels: list[int]
    layers: int
    text_width: int
    text_layers: int
    batch: int
    text_steps: int
    first_steps: int
    steps: int
    learning_rate: float
    flips: bool

    @property
    def taught(self) -> Literal["first", "all"]:
        """Which concepts the denoiser has seen when its last step is done."""
        return "first" if self.first_steps >= self.steps else "all"


class Adapter(Section):
    batch: int
    steps: int
    learning_rate: float


class Config(Section):
    seed: int
    picture_size: int
    packages: dict[str, str]
    styles: list[str]
    concepts: int
    data: Data
    vae: Vae
    denoiser: Denoiser
    controlnet: Adapter
    lora: Adapter


def load(path: Path, profile: str) -> Config:
    """The configuration of one profile ("cpu", "cuda"). Raises TrainingError in one line."""
    try:
        tables = tomllib.loads(path.read_text())
    except OSError as error:
        raise TrainingError(f"cannot read the configuration {path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise TrainingError(f"{path} is not TOML: {error}") from error
    profiles = tables.get("profile", {})
    if profile not in profiles:
        raise TrainingError(f"{path} has no profile {profile!r}, only {', '.join(profiles)}")
    try:
        return Config.model_validate({**tables.get("base", {}), **profiles[profile]})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise TrainingError(f"{path}, profile {profile}: {where}: {first['msg']}") from error
