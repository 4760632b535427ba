"""Seeded noise: drawn on the CPU, so that a seed means the same picture on every device."""

import torch
from torch import Tensor


def draw_noise(seed: int, shape: tuple[int, ...], draws: int) -> Tensor:
    """`draws` standard normal tensors of `shape`, stacked, float32.

    They are drawn one after the other from one generator, as a diffusers script with
    `Generator("cpu").manual_seed(seed)` does: draw 0 is its initial latent.
    """
    generator = torch.Generator("cpu").manual_seed(seed)
    noise = torch.empty(draws, *shape)
    for draw in noise:
        # Not one large draw: Box-Muller pairs would fall differently at the seams.
        draw.copy_(torch.randn(1, *shape, generator=generator)[0])
    return noise
