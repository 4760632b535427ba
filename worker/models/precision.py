"""Modules in fp32 for a while, where their own type overflows."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import Module


@contextmanager
def in_full_precision(modules: Iterable[Any], own: torch.dtype) -> Iterator[None]:
    """The modules compute in fp32 meanwhile and are what they were afterwards, to the bit."""
    modules = list(modules)
    try:
        for module in modules:
            Module.to(module, torch.float32)  # diffusers' own `to` warns, though nothing is lost
        yield
    finally:
        for module in modules:
            Module.to(module, own)
