"""The machine: device, bf16 autocast, memory format, learning-rate curve, moving average."""

import math
from typing import Any

import torch


def pick() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast(device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16)


def channels_last(module: Any, device: torch.device) -> Any:
    return module.to(device=device, memory_format=torch.channels_last)


WARM_UP = 100  # steps


def cosine(peak: float, step: int, steps: int) -> float:
    """Learning rate: linear warm-up, then half a cosine down to 2 % of the peak."""
    done = max(0.0, (step - WARM_UP) / max(1, steps - WARM_UP))
    decay = 0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * done))
    return peak * min((step + 1) / WARM_UP, decay)


def trapezoid(peak: float, step: int, steps: int) -> float:
    """Learning rate: linear warm-up, level, linear decay to 2 % over the last quarter.

    While it is level the total can still be changed, so a run may be lengthened.
    """
    left = (steps - step) / (0.25 * steps)
    return peak * max(0.02, min((step + 1) / WARM_UP, left, 1.0))


@torch.no_grad()
def follow(average: torch.nn.Module, module: torch.nn.Module, step: int, decay: float) -> None:
    """Move the exponential average; early on it follows faster, so that it forgets the start."""
    rate = 1.0 - min(decay, (1.0 + step) / (10.0 + step))
    pairs = zip(average.parameters(), module.parameters(), strict=True)
    old, new = zip(*pairs, strict=True)
    torch._foreach_lerp_(list(old), list(new), rate)
