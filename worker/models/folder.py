"""A model in diffusers layout: a folder for each part."""

import json
from pathlib import Path
from typing import Any

from transformers import CLIPTokenizer

from shared.errors import ConfigurationError
from worker.models.device import Device
from worker.models.tokenizer import load_tokenizer
from worker.models.weights import build_module, read_weights

INDEX = "model_index.json"


class ModelFolder:
    """Configurations, tokenizers and modules of one folder. All methods raise OSError,
    ValueError, SafetensorError or ConfigurationError where a file is not what it should be."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def index(self) -> dict[str, Any]:
        """`model_index.json`."""
        return read_json(self.path / INDEX)

    @property
    def scheduler_config(self) -> dict[str, Any]:
        """How the model was trained to be denoised."""
        return read_json(self.path / "scheduler" / "scheduler_config.json")

    def config(self, part: str) -> dict[str, Any]:
        """The part's `config.json`."""
        return read_json(self.path / part / "config.json")

    def tokenizer(self, part: str) -> CLIPTokenizer:
        """The part's tokenizer."""
        return load_tokenizer(self.path / part)

    def module(self, part: str, kind: Any, device: Device) -> Any:
        """The part with its weights, on the device."""
        try:
            weights = read_weights(weight_files(self.path / part))
            return build_module(kind, self.config(part), weights, device.place, device.dtype)
        except ConfigurationError as error:
            raise ConfigurationError(f"the part `{part}`: {error.detail}") from error


def weight_files(folder: Path) -> list[Path]:
    """The safetensors of a part: whole or in shards, in half precision only where nothing else is.

    Raises ConfigurationError where there are none, or a shard is missing.
    """
    return [folder / name for name in choose_weights([file.name for file in folder.iterdir()])]


def choose_weights(names: list[str]) -> list[str]:
    """Which of a part's files to load; raises ConfigurationError where it lacks some."""
    found = [name for name in names if name.endswith(".safetensors")]
    chosen = sorted(name for name in found if ".fp16" not in name and ".non_ema" not in name)
    chosen = chosen or sorted(name for name in found if ".fp16" in name)
    if not chosen:
        raise ConfigurationError("it has no safetensors")
    shards = [name for name in chosen if "-of-" in name]
    whole = [name for name in chosen if "-of-" not in name]
    if whole:
        return whole[:1]
    expected = int(shards[0].rsplit("-of-")[1].removesuffix(".safetensors"))
    if len(shards) < expected:
        raise ConfigurationError(f"it has {len(shards)} of {expected} shards")
    return shards


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object; raises OSError, ValueError."""
    content = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{file.name} holds no object")
    return content
