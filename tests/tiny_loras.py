"""Writes tiny random LoRAs in the layouts of diffusers (peft) and of kohya."""

from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import save_file

RANK = 4
UNET_LAYERS = ("attn1.to_q", "attn2.to_k", "attn2.to_v", "attn1.to_out.0", "ff.net.2", "proj_in")
TEXT_LAYERS = ("self_attn.q_proj", "self_attn.out_proj", "mlp.fc1")


def write_lora(path: Path, parts: dict[str, torch.nn.Module], seed: int = 0) -> Path:
    """A LoRA in the layout of diffusers' `save_lora_weights`, for the parts by their name."""
    weights = {}
    for part, path_of, down, up in _matrices(parts, seed):
        weights[f"{part}.{path_of}.lora_A.weight"] = down
        weights[f"{part}.{path_of}.lora_B.weight"] = up
    save_file(weights, path)
    return path


def write_kohya_lora(
    path: Path, parts: dict[str, torch.nn.Module], alpha: float, seed: int = 0
) -> Path:
    """A LoRA as kohya's trainer names its keys."""
    prefixes = {"unet": "lora_unet", "text_encoder": "lora_te_text_model"}
    weights = {}
    for part, path_of, down, up in _matrices(parts, seed):
        module = f"{prefixes[part]}_{path_of.replace('.', '_')}"
        weights[f"{module}.lora_down.weight"] = down
        weights[f"{module}.lora_up.weight"] = up
        weights[f"{module}.alpha"] = torch.tensor(alpha)
    save_file(weights, path)
    return path


def _matrices(
    parts: dict[str, torch.nn.Module], seed: int
) -> Iterable[tuple[str, str, torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    for part, module in parts.items():
        for path, layer in module.named_modules():
            if path.endswith(UNET_LAYERS + TEXT_LAYERS):
                outs, ins, *kernel = layer.weight.shape
                down = torch.randn(RANK, ins, *kernel, generator=generator) / ins**0.5
                up = torch.randn(outs, RANK, *[1] * len(kernel), generator=generator) / RANK**0.5
                yield part, path, down, up
