"""torch.compile for calls of one shape: built once, kept on disk, never again in a request."""

import os
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any, cast

import torch
from torch import Tensor

Forward = Callable[..., Tensor]


def keep_compiled(folder: Path) -> None:
    """Let inductor and Triton keep what they build in this folder; before the first build.

    Each kind of processor has a part of its own: inductor takes up code for wider vectors than
    this processor's as if it were right, and that computes garbage.
    """
    kind = torch.backends.cpu.get_cpu_capability().lower()
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder / kind)


def compile_fixed(forward: Forward) -> Forward:
    """The function, compiled for the shapes of its first call. The caller sees to these shapes.

    It is compiled without guards, which for a UNet's hundreds of weights cost a millisecond a
    call, and whose failure would compile anew in the midst of a request. A call with other
    shapes fails by the compiled code's own checks.
    """
    template = cast(FunctionType, forward)
    # Dynamo keeps what it compiled by code object: one of its own for each form.
    own = FunctionType(
        template.__code__.replace(co_name=f"{template.__name__}_fixed"),
        template.__globals__,
        template.__name__,
        template.__defaults__,
        template.__closure__,
    )
    compiled = torch.compile(
        own, fullgraph=True, dynamic=False, options={"guard_filter_fn": _no_guards}
    )
    return cast(Forward, compiled)


def forbid_recompiling() -> None:
    """Make a second compilation of the same code an error on this thread, not a silent pause.

    Dynamo's configuration is each thread's own.
    """
    import torch._dynamo.config

    torch._dynamo.config.error_on_recompile = True


def _no_guards(entries: list[Any]) -> list[bool]:
    return [False] * len(entries)
