"""What loading needs of a model, whatever way its files are laid."""

from pathlib import Path
from typing import Any, Protocol

from transformers import CLIPTokenizer

from shared.catalog import Family
from worker.models.checkpoint import Checkpoint
from worker.models.device import Device
from worker.models.folder import ModelFolder


class ModelParts(Protocol):
    """A folder in diffusers layout or a checkpoint.

    Everything raises OSError, ValueError, SafetensorError or ConfigurationError where the files
    are not what they should be.
    """

    @property
    def index(self) -> dict[str, Any]:
        """`model_index.json`: the pipeline's class and its options."""
        ...

    @property
    def scheduler_config(self) -> dict[str, Any]:
        """How the model was trained to be denoised."""
        ...

    def config(self, part: str) -> dict[str, Any]:
        """The part's `config.json`."""
        ...

    def tokenizer(self, part: str) -> CLIPTokenizer:
        """The part's tokenizer."""
        ...

    def module(self, part: str, kind: Any, device: Device) -> Any:
        """The part with its weights, frozen, on the device."""
        ...


def open_parts(path: Path, family: Family, configuration: Path | None) -> ModelParts:
    """The parts of a folder or of a `.safetensors` file."""
    if path.is_dir():
        return ModelFolder(path)
    return Checkpoint(path, family, configuration)
