"""A guidance scale as a UNet reads it that was distilled to need no unconditional row."""

import math

import torch
from torch import Tensor


def embed_guidance(scale: float, width: int) -> Tensor:
    """[width] float32: sines, then cosines, of the scale at falling frequencies.

    As diffusers' pipelines embed it (`get_guidance_scale_embedding`), for even widths: a scale
    of 1 is no guidance, and embedded as 0.
    """
    frequencies = torch.exp(torch.arange(width // 2) * (-math.log(10_000) / (width // 2 - 1)))
    angles = 1000 * (scale - 1) * frequencies
    return torch.cat([angles.sin(), angles.cos()])
