"""G0 and G1: matrix products as the roof, then the UNet by every technique, in FLOPs a second."""

import copy
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import torch
from torch import Tensor

from bench.gpu.subjects import Subject, row_teraflops
from bench.gpu.timing import interleaved, seconds
from worker.models.attention import (
    AttentionChoice,
    candidates,
    choose_attention,
    use_attention,
)
from worker.models.compiling import compile_fixed
from worker.models.device import Attention
from worker.models.float8 import Float8Weights
from worker.models.forms import Form, GraphPool, plain_forward

PEAK_TERAFLOPS = 989.5  # an H100's, fp16, dense
ROWS = (2, 4, 8, 16, 32)
# Where the goals are: one guided image, and eight or four.
COMPILED_ROWS = {"sd15": (2, 16), "sdxl": (2, 8)}


def roof(subject: Subject) -> dict[str, float]:
    """TFLOP/s of a large product, beside the chip's name for it."""
    side = 256 if subject.tiny else 8192
    found: dict[str, float] = {"named_peak": PEAK_TERAFLOPS}
    for dtype in (torch.float16, torch.bfloat16):
        one, other = (torch.randn(side, side, device=subject.place).to(dtype) for _ in range(2))
        partial(torch.mm, one, other)()
        best = min(seconds(partial(torch.mm, one, other)) for _ in range(10))
        found[str(dtype)] = round(2 * side**3 / best / 1e12, 1)
    return found


def inputs(unet: Any, subject: Subject, rows: int) -> tuple[Tensor | None, ...]:
    """As `plain_forward` takes them."""
    side = subject.side // 8
    own = {"device": unet.device, "dtype": unet.dtype}
    pooled = sizes = None
    if subject.family == "sdxl":
        width = unet.config.projection_class_embeddings_input_dim
        pooled = torch.randn(rows, width - 6 * unet.config.addition_time_embed_dim, **own)
        sizes = torch.full((rows, 6), float(subject.side), **own)
    latents = torch.randn(rows, 4, side, side, **own)
    contexts = torch.randn(rows, 77, unet.config.cross_attention_dim, **own)
    timesteps = torch.linspace(1, 999, rows, device=unet.device)
    return latents, timesteps, contexts, None, pooled, sizes


def teraflops(unet: Any, subject: Subject) -> float:
    """Of one row."""
    latents, timesteps, contexts, _, pooled, sizes = inputs(unet, subject, 1)
    added = None if pooled is None else {"text_embeds": pooled, "time_ids": sizes}
    given = {
        "sample": latents,
        "timestep": timesteps,
        "encoder_hidden_states": contexts,
        "added_cond_kwargs": added,
    }
    return row_teraflops(unet, given)


def run(subject: Subject) -> dict[str, Any]:
    """Milliseconds a forward by rows and way, and the share of the named peak."""
    model = subject.load()
    ours = model.unet
    documented = subject.pipeline().unet
    one_row = teraflops(ours, subject)
    found: dict[str, Any] = {"row_teraflops": round(one_row, 4), "rows": {}}
    pool = GraphPool(model.readiness.device, model.held)
    with torch.inference_mode():
        for rows in ROWS[: 2 if subject.tiny else None]:
            given = inputs(ours, subject, rows)
            choice = choose_attention(
                ours,
                model.readiness.device,
                Attention.AUTO,
                partial(plain_forward(ours), *given),
            )
            ways: dict[str, Callable[[], object]] = {
                "diffusers": partial(plain_forward(documented), *given),
                "ours": partial(plain_forward(ours), *given),
            }
            found["rows"][rows] = {"attention": choice.name}
            if rows in COMPILED_ROWS[subject.name][: 1 if subject.tiny else None]:
                ways |= _built(ours, pool, given)
            times = interleaved(ways)
            found["rows"][rows] |= {
                name: {**time, "share_of_peak": _share(rows, one_row, time["median"])}
                for name, time in times.items()
            }
            found["rows"][rows]["by_attention"] = _by_attention(model, given)
            use_attention(ours, choice)
    model.close()
    return found


def _built(
    unet: Any, pool: GraphPool, given: tuple[Tensor | None, ...]
) -> dict[str, Callable[[], object]]:
    eight = copy.deepcopy(unet)
    Float8Weights(eight).apply()
    ways: dict[str, Callable[[], object]] = {}
    for name, forward, captured in (
        ("graph", plain_forward(unet), True),
        ("compiled", compile_fixed(plain_forward(unet)), False),
        ("compiled+graph", compile_fixed(plain_forward(unet)), True),
        ("float8", plain_forward(eight), False),
        ("float8+compiled+graph", compile_fixed(plain_forward(eight)), True),
    ):
        form = Form(forward, given, fresh=2)
        form.build()
        if captured:
            pool.capture(form)
        ways[name] = partial(form, *given)
    return ways


def _by_attention(model: Any, given: tuple[Tensor | None, ...]) -> dict[str, Any]:
    """Milliseconds with one kernel for all shapes; those that refuse one are left out."""
    ways: dict[str, Callable[[], object]] = {}
    for name in candidates(model.readiness.device, Attention.AUTO):

        def forward(name: str = name) -> object:
            use_attention(model.unet, AttentionChoice(otherwise=name))
            return plain_forward(model.unet)(*given)

        with suppress(RuntimeError, ValueError):
            forward()
            ways[name] = forward
    return interleaved(ways)


def _share(rows: int, one_row: float, milliseconds: float) -> float:
    return round(rows * one_row / (milliseconds / 1000) / PEAK_TERAFLOPS, 4)
