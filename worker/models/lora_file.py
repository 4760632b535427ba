"""Reads a LoRA file, in kohya's or diffusers' layout, as pairs of matrices by module."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusers.loaders.lora_pipeline import StableDiffusionXLLoraLoaderMixin
from diffusers.utils.state_dict_utils import (
    convert_state_dict_to_diffusers,
    convert_state_dict_to_peft,
    convert_unet_state_dict_to_peft,
)
from safetensors import safe_open
from torch import Tensor

from worker.models.weights import read_weights

KOHYA = ("lora_unet_", "lora_te_", "lora_te1_", "lora_te2_")
PARTS = ("unet", "text_encoder", "text_encoder_2")
METADATA = "lora_adapter_metadata"  # diffusers' key for peft's configuration

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Pair:
    """What is added to a module's output: up(down(x)). The file's own scale is in `up`."""

    down: Tensor
    up: Tensor


@dataclass(frozen=True)
class LoraFile:
    """The pairs by part and module path, and how many tensors the file has without its alphas."""

    pairs: Mapping[str, Mapping[str, Pair]]
    tensors: int


def read_lora(file: Path, unet_config: Any) -> LoraFile:
    """Read the file; what is no pair is left out. `unet_config` tells kohya's blocks apart.

    Raises OSError, ValueError or SafetensorError where it is not legible.
    """
    weights = read_weights([file])
    tensors = sum(not name.endswith(".alpha") for name in weights)
    if any(name.startswith(KOHYA) for name in weights):
        weights = _kohya_pairs(weights)
    weights, _ = StableDiffusionXLLoraLoaderMixin.lora_state_dict(weights, unet_config=unet_config)
    metadata = _metadata(file)
    pairs = {}
    for part in PARTS:
        own = {
            name.removeprefix(f"{part}."): weight
            for name, weight in weights.items()
            if name.startswith(f"{part}.") and "lora" in name
        }
        if own:
            pairs[part] = _pairs(_in_peft_layout(part, own), part, metadata)
    return LoraFile(pairs, tensors)


def _kohya_pairs(weights: Weights) -> Weights:
    """Kohya's complete pairs, alpha included in the second; diffusers refuses a file with more."""
    modules: defaultdict[str, Weights] = defaultdict(dict)
    for name, weight in weights.items():
        if name.startswith(KOHYA):
            module, _, role = name.partition(".")
            modules[module][role] = weight
    complete = {}
    for module, roles in modules.items():
        if {*roles} - {"alpha"} == {"lora_down.weight", "lora_up.weight"}:
            down, up = roles["lora_down.weight"], roles["lora_up.weight"].float()
            rank = down.shape[0]
            complete[f"{module}.lora_down.weight"] = down
            complete[f"{module}.lora_up.weight"] = up * (float(roles.get("alpha", rank)) / rank)
    return complete


def _metadata(file: Path) -> dict[str, Any]:
    with safe_open(file, framework="pt") as opened:
        found: dict[str, Any] = json.loads((opened.metadata() or {}).get(METADATA, "{}"))
    return found


def _in_peft_layout(part: str, weights: Weights) -> Weights:
    converted: Weights
    if part == "unet":
        converted = convert_unet_state_dict_to_peft(weights)
    else:
        converted = convert_state_dict_to_peft(convert_state_dict_to_diffusers(weights))
    return converted


def _pairs(weights: Weights, part: str, metadata: Mapping[str, Any]) -> dict[str, Pair]:
    pairs = {}
    for name, down in weights.items():
        module, found, _ = name.partition(".lora_A.weight")
        up = weights.get(f"{module}.lora_B.weight")
        if found and up is not None:
            rank = down.shape[0]
            alpha = metadata.get(f"{part}.alpha_pattern", {}).get(
                module, metadata.get(f"{part}.lora_alpha", rank)
            )
            pairs[module] = Pair(down, up.float() * (alpha / rank))
    return pairs
