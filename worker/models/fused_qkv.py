"""Query, key and value of an attention as one matrix product, without a second copy of weights."""

from typing import Any

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor
from torch.nn import Module, Parameter
from torch.nn.functional import linear


def fuse_projections(module: Module) -> None:
    """Lay the weights of projections that read the same side by side.

    The layers stay what they are, each with its part of the common weight as its own, so that
    LoRAs find them.
    """
    for attn in module.modules():
        if isinstance(attn, Attention):
            fused = (attn.to_k, attn.to_v) if attn.is_cross_attention else _all(attn)
            if any(layer.bias is not None for layer in fused):
                continue
            attn.fused_weight = torch.cat([layer.weight for layer in fused])
            parts = torch.split(attn.fused_weight, [layer.out_features for layer in fused])
            for layer, part in zip(fused, parts, strict=True):
                layer.weight = Parameter(part, requires_grad=False)


def projected(attn: Any, hidden_states: Tensor, context: Tensor | None) -> list[Tensor]:
    """Query, key and value: [rows, tokens, inner] each; of a self-attention without `context`."""
    layers = _all(attn)
    read = [hidden_states] * 3 if context is None else [hidden_states, context, context]
    weight: Tensor | None = getattr(attn, "fused_weight", None)
    # A LoRA's hooks are on the layers, and so are weights that are in fp32 for a while.
    bare = weight is not None and weight.dtype == hidden_states.dtype
    if not bare or any(layer._forward_hooks for layer in layers):
        return [layer(states) for layer, states in zip(layers, read, strict=True)]
    assert weight is not None
    if context is None:
        return list(linear(hidden_states, weight).chunk(3, dim=-1))
    return [attn.to_q(hidden_states), *linear(context, weight).chunk(2, dim=-1)]


def _all(attn: Any) -> tuple[Any, Any, Any]:
    return attn.to_q, attn.to_k, attn.to_v
