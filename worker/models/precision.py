"""Modules in fp32 for a while, where their own type overflows."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor


@contextmanager
def in_full_precision(modules: Iterable[Any]) -> Iterator[None]:
    """The modules compute in fp32 meanwhile and are what they were afterwards, to the bit.

    Their own weights stay where they are beside the others: graphs know them by their address.
    """
    own: list[tuple[Tensor, Tensor]] = []
    try:
        for module in modules:
            for tensor in (*module.parameters(), *module.buffers()):
                if tensor.is_floating_point():
                    own.append((tensor, tensor.data))
                    tensor.data = tensor.data.float()
        yield
    finally:
        for tensor, data in own:
            tensor.data = data
