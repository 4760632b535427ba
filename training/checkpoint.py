"""Checkpoints that survive a kill: written aside, then renamed; a bad one is named, not used."""

import pickle
from pathlib import Path
from typing import Any

import torch

from training.errors import TrainingError


def save(path: Path, state: dict[str, Any]) -> None:
    aside = path.with_suffix(".partial")
    torch.save(state, aside)
    aside.replace(path)


def load(path: Path) -> dict[str, Any] | None:
    """The newest state, None if there is none. Raises TrainingError if it cannot be read."""
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise TrainingError(f"checkpoint {path} is corrupt; remove it to start anew") from error
    return state


def load_weights(module: torch.nn.Module, weights: dict[str, torch.Tensor], path: Path) -> None:
    """Put the weights in. Raises TrainingError if the configuration is of another shape."""
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise TrainingError(f"checkpoint {path} does not fit this configuration") from error
