"""The models that this installation serves: `models.toml`, read by gateway and workers alike."""

import tomllib
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.errors import ConfigurationError
from shared.mistakes import first_mistake

NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"


class Family(StrEnum):
    """Architectures that workers can run."""

    SD = "sd"  # Stable Diffusion 1.x and 2.x, their inpainting models among them
    SDXL = "sdxl"


class ModelDefaults(BaseModel):
    """What a request that says nothing gets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = 512
    height: int = 512
    steps: int = Field(default=20, ge=1, le=150)
    guidance_scale: float = Field(default=7.5, ge=0, le=30)
    sampler: str = "dpmpp_2m"
    schedule: str = "default"
    negative_prompt: str = ""


class ModelLimits(BaseModel):
    """What a request may ask of this model; sides in pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_side: int = Field(default=1024, ge=64)
    max_pixels: int = Field(default=1024 * 1024, ge=64 * 64)
    max_cost: float = Field(default=2000, gt=0)
    max_controls: int = Field(default=4, ge=0, le=16)
    max_loras: int = Field(default=4, ge=0, le=16)


class Prediction(StrEnum):
    """What a UNet was trained to predict."""

    EPSILON = "epsilon"
    V_PREDICTION = "v_prediction"


class Source(BaseModel):
    """Where weights lie: a path, or a hub repository at a pinned commit.

    `file` names one file of the repository; `sha256` is what one file must hash to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path | None = None
    repository: str | None = None
    revision: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}$")
    file: str | None = None
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _names_one_source(self) -> Self:
        if (self.path is None) == (self.repository is None):
            raise ValueError("give either `path` or `repository` with a pinned `revision`")
        if self.repository is not None and self.revision is None:
            raise ValueError("`repository` needs `revision`: the full commit hash")
        if self.file is not None and self.repository is None:
            raise ValueError("`file` is a file of a `repository`")
        return self

    def beside(self, directory: Path) -> Self:
        """The same with a relative path taken from that directory."""
        return self.model_copy(update={"path": directory / self.path}) if self.path else self


class ControlEntry(Source):
    """A ControlNet that goes with a model; requests name it by its `type`."""

    type: str = Field(pattern=NAME)


class LoraEntry(Source):
    """A LoRA file that goes with a model."""

    name: str = Field(pattern=NAME)


class EmbeddingEntry(Source):
    """A textual inversion file that goes with a model; its name in a prompt calls it."""

    name: str = Field(pattern=NAME)


class ModelEntry(Source):
    """One model: where it lies, how it runs, what it allows.

    A path is a folder in diffusers layout, or one `.safetensors` checkpoint. For a checkpoint of
    an unusual architecture `config` is a folder in diffusers layout, without weights.
    """

    id: str = Field(pattern=NAME)
    family: Family
    title: str = ""
    config: Path | None = None
    prediction: Prediction | None = None
    vae: Source | None = None
    controls: tuple[ControlEntry, ...] = ()
    loras: tuple[LoraEntry, ...] = ()
    embeddings: tuple[EmbeddingEntry, ...] = ()
    defaults: ModelDefaults = ModelDefaults()
    limits: ModelLimits = ModelLimits()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for what, names in (
            ("controls", [control.type for control in self.controls]),
            ("LoRAs", [lora.name for lora in self.loras]),
            ("embeddings", [embedding.name for embedding in self.embeddings]),
        ):
            if len(set(names)) < len(names):
                raise ValueError(f"two {what} of {self.id} share a name")
        return self

    def beside(self, directory: Path) -> Self:
        """The same with all relative paths taken from that directory."""
        located = super().beside(directory)
        return located.model_copy(
            update={
                "config": directory / self.config if self.config else None,
                "vae": self.vae.beside(directory) if self.vae else None,
                "controls": tuple(entry.beside(directory) for entry in self.controls),
                "loras": tuple(entry.beside(directory) for entry in self.loras),
                "embeddings": tuple(entry.beside(directory) for entry in self.embeddings),
            }
        )


class Catalog(BaseModel):
    """All configured models and the default one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    default: str
    models: tuple[ModelEntry, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ids_are_unique_and_known(self) -> Self:
        ids = [entry.id for entry in self.models]
        if len(set(ids)) < len(ids):
            raise ValueError("two models share an id")
        if self.default not in ids:
            raise ValueError(f"the default model {self.default!r} is not among the models")
        return self

    @property
    def ids(self) -> tuple[str, ...]:
        """Every model's id, in the file's order."""
        return tuple(entry.id for entry in self.models)

    def preferred(self, ids: Sequence[str]) -> list[ModelEntry]:
        """The entries of these ids in their order; without any, all, the default one first.

        Raises ConfigurationError where an id is not configured.
        """
        unknown = [model_id for model_id in ids if model_id not in self.ids]
        if unknown:
            raise ConfigurationError(f"no model {unknown[0]!r} is configured")
        ordered = ids or sorted(self.ids, key=lambda model_id: model_id != self.default)
        entries = {entry.id: entry for entry in self.models}
        return [entries[model_id] for model_id in dict.fromkeys(ordered)]

    def get(self, model_id: str) -> ModelEntry | None:
        """The entry of that id, or None where it is not configured."""
        return next((entry for entry in self.models if entry.id == model_id), None)


def load_catalog(path: Path) -> Catalog:
    """Read `models.toml`; relative model paths are relative to the file.

    Raises:
        ConfigurationError: the file is missing, not TOML, or not a catalog.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        catalog = Catalog.model_validate(document)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    except ValidationError as error:
        field, reason = first_mistake(error)
        where = f"{'.'.join(field)}: " if field else ""
        raise ConfigurationError(f"{path}: {where}{reason}") from error
    located = tuple(entry.beside(path.parent) for entry in catalog.models)
    return catalog.model_copy(update={"models": located})
