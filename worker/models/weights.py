"""Weights from safetensors into modules that are made without any."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor
from torch.nn import Module

from shared.errors import ConfigurationError


def read_weights(files: Iterable[Path]) -> dict[str, Tensor]:
    """The tensors of some files by name, mapped into memory; raises OSError, SafetensorError."""
    weights: dict[str, Tensor] = {}
    for file in files:
        with safe_open(file, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118 it is not a mapping
                weights[name] = opened.get_tensor(name)
    return weights


def count_elements(files: Iterable[Path]) -> int:
    """How many numbers some files hold, read off their headers; raises OSError, SafetensorError."""
    total = 0
    for file in files:
        with safe_open(file, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118 it is not a mapping
                total += torch.Size(opened.get_slice(name).get_shape()).numel()
    return total


def module_bytes(modules: Iterable[Module]) -> int:
    """What the modules' weights take on the device."""
    return sum(
        tensor.numel() * tensor.element_size()
        for module in modules
        for tensor in (*module.parameters(), *module.buffers())
    )


def build_module(
    kind: Any,
    config: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    place: torch.device,
    dtype: torch.dtype,
) -> Any:
    """A module of diffusers or transformers, frozen, with these weights.

    The libraries' own `from_pretrained` switch torch's default type for the whole process, under
    the hands of threads that are at work. Raises ConfigurationError where a weight is missing or
    has another shape.
    """
    with torch.device("meta"):
        from_config = getattr(kind, "from_config", None)
        module = from_config(config) if from_config else kind(kind.config_class.from_dict(config))
    own = module.state_dict()
    found = _renamed(module, dict(weights), own)
    missing = [name for name in own if name not in found]
    if missing:
        raise ConfigurationError(f"{len(missing)} weights are missing, the first is {missing[0]}")
    for name, tensor in own.items():
        if found[name].shape != tensor.shape:
            shapes = f"{list(found[name].shape)}, not {list(tensor.shape)}"
            raise ConfigurationError(f"the weight {name} has the shape {shapes}")
    # Copied, because a mapped file may change and does not lie where vector units like it.
    module.load_state_dict(
        {name: found[name].to(place, dtype, copy=True) for name in own}, assign=True
    )
    for name, buffer in list(module.named_buffers()):
        if buffer.is_meta:
            _count_positions(module, name, buffer, place)
    return module.eval().requires_grad_(False)


def _renamed(
    module: Any, weights: dict[str, Tensor], own: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The weights under today's names."""
    if hasattr(module, "_fix_state_dict_keys_on_load"):
        module._fix_state_dict_keys_on_load(weights)  # VAEs of 2022 name their attention otherwise
        return weights
    if any(name.startswith("text_model.") for name in own):
        return weights
    # transformers 5 has taken one layer of names out of CLIPTextModel.
    return {name.removeprefix("text_model."): tensor for name, tensor in weights.items()}


def _count_positions(module: Any, name: str, buffer: Tensor, place: torch.device) -> None:
    """CLIP's one buffer that no file holds: 0, 1, 2, ..."""
    owner, _, attribute = name.rpartition(".")
    assert attribute == "position_ids"
    positions = torch.arange(buffer.shape[-1], device=place).expand(buffer.shape)
    module.get_submodule(owner).register_buffer(attribute, positions, persistent=False)
