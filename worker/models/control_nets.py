"""Loads the ControlNets that go with a model."""

from typing import Any

import torch
from diffusers import ControlNetModel

from shared.catalog import ControlEntry, ModelEntry
from shared.errors import ConfigurationError
from worker.models.device import Device
from worker.models.files import check_hashes, locate_weights
from worker.models.folder import read_json, weight_files
from worker.models.weights import build_module, read_weights

# What must be the same for a ControlNet's residuals to fit a UNet.
SHARED = ("block_out_channels", "layers_per_block", "cross_attention_dim")


def load_controls(entry: ModelEntry, unet: Any, device: Device) -> dict[str, Any]:
    """The entry's ControlNets by their type, on the device.

    Raises what reading files raises, and ConfigurationError where one is of another kind of
    model than the UNet.
    """
    return {control.type: _load(control, unet, device) for control in entry.controls}


def _load(control: ControlEntry, unet: Any, device: Device) -> Any:
    path = locate_weights(control)
    if not path.is_dir():
        raise ConfigurationError(f"control `{control.type}`: it must be a folder with config.json")
    check_hashes(control, path)
    config = read_json(path / "config.json")
    for name in SHARED:
        if _plain(config.get(name)) != _plain(unet.config[name]):
            raise ConfigurationError(
                f"control `{control.type}` has another {name} than the model: "
                f"{config.get(name)} instead of {unet.config[name]}"
            )
    weights = read_weights(weight_files(path))
    net = build_module(ControlNetModel, config, weights, device.place, device.dtype)
    return net.to(memory_format=torch.channels_last) if device.is_cuda else net


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else value
