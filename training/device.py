"""The machine: device, bf16 autocast, memory format, learning-rate curve, moving average."""

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel


def pick() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextlib.contextmanager
def autocast(device: torch.device) -> Iterator[None]:
    """bf16 where it is safe. On CPUs attention is two plain products: its fused form's backward
    pass took a third of a step.
    """
    fused = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
    backends = [SDPBackend.MATH] if device.type == "cpu" else fused
    with sdpa_kernel(backends), torch.autocast(device.type, torch.bfloat16):
        yield


def placed(module: Any, device: torch.device) -> Any:
    """On its device, in the memory format that trains faster there (a quarter, on an AMX CPU)."""
    cpu = device.type == "cpu"
    layout = torch.contiguous_format if cpu else torch.channels_last
    return module.to(device=device, memory_format=layout)


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
