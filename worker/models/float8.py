"""A UNet's linear layers in 8-bit floating point: faster on chips that have it, and not exact."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from diffusers.models.attention_processor import Attention
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import Linear, Module, Parameter
from torch.nn.functional import linear

EIGHT_BITS = torch.float8_e4m3fn
MOST = torch.finfo(EIGHT_BITS).max
LEAST_SCALE = 1e-12

# Sides that the chip's instructions take.
MULTIPLE = 16


class Float8Linear(Linear):
    """A linear layer whose class was changed by `Float8Weights`: LoRAs' hooks stay where they are.

    Each line of the input has a scale of its own. One for all of it would let a sample's bits
    depend on who shares its batch.
    """

    weight_scale: Tensor

    def forward(self, input: Tensor) -> Tensor:
        """[..., in] to [..., out], in the input's type."""
        if self.weight.dtype != EIGHT_BITS:  # it is in fp32 for a while, but for its scale
            return linear(input, self.weight * self.weight_scale.t(), self.bias)
        lines = input.reshape(-1, self.in_features)
        scale = lines.abs().amax(1, keepdim=True).float().clamp(min=LEAST_SCALE) / MOST
        product = torch._scaled_mm(
            (lines / scale).to(EIGHT_BITS),
            self.weight.t(),
            scale_a=scale,
            scale_b=self.weight_scale,
            out_dtype=torch.bfloat16,  # the only one that CUDA has with a scale for each line
        )
        output = product.to(input.dtype).view(*input.shape[:-1], self.out_features)
        return output if self.bias is None else output + self.bias


class Float8Weights:
    """Turns a UNet's attention and feed-forward layers to 8 bits, and back while it is kept."""

    def __init__(self, unet: Module) -> None:
        self._attention: list[Any] = [one for one in unet.modules() if isinstance(one, Attention)]
        self._fused = [getattr(one, "fused_weight", None) for one in self._attention]
        blocks = [
            block for name, block in unet.named_modules() if name.endswith(("attn1", "attn2", "ff"))
        ]
        self._layers = [
            layer
            for block in blocks
            for layer in block.modules()
            if isinstance(layer, Linear)
            and not layer.in_features % MULTIPLE
            and not layer.out_features % MULTIPLE
        ]
        self._weights = [layer.weight for layer in self._layers]

    def apply(self) -> None:
        """Turn them to 8 bits."""
        for attn in self._attention:
            attn.fused_weight = None
        for layer in self._layers:
            weight = layer.weight.float()
            scale = weight.abs().amax(1, keepdim=True).clamp(min=LEAST_SCALE) / MOST
            layer.weight = Parameter((weight / scale).to(EIGHT_BITS), requires_grad=False)
            layer.register_buffer("weight_scale", scale.t().contiguous(), persistent=False)
            layer.__class__ = Float8Linear

    def take_back(self) -> None:
        """Let them be what they were, to the bit."""
        for attn, fused in zip(self._attention, self._fused, strict=True):
            attn.fused_weight = fused
        for layer, weight in zip(self._layers, self._weights, strict=True):
            layer.__class__ = Linear
            layer.weight = weight
            del layer.weight_scale


def decibels(pictures: Sequence[NDArray[np.uint8]], others: Sequence[NDArray[np.uint8]]) -> float:
    """The peak signal-to-noise ratio of all these pictures; infinite where they are equal."""
    errors = [
        np.mean((one.astype(np.float64) - other) ** 2)
        for one, other in zip(pictures, others, strict=True)
    ]
    error = float(np.mean(errors))
    return 10 * math.log10(255**2 / error) if error else math.inf
