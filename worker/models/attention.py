"""Attention of a UNet: for each of its shapes the kernel that was fastest at warm-up."""

import importlib
import importlib.util
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import diffusers
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from worker.models.device import Attention, Device
from worker.models.fused_qkv import projected

# [rows, heads, tokens, size] each, to the same shape as the first.
Kernel = Callable[[Tensor, Tensor, Tensor], Tensor]

XFORMERS = "xformers"
USUAL = "sdpa"

# Runs of a kernel on one shape that are timed together, and how often that is done.
CALLS = 4
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class AttentionShape:
    """One attention of a model, but for its rows."""

    heads: int
    queries: int
    keys: int
    size: int  # of a head

    def __str__(self) -> str:
        return f"{self.heads}x{self.queries}x{self.keys}x{self.size}"


@dataclass
class AttentionChoice:
    """The kernels of one model, by their names; other shapes take `otherwise`."""

    shapes: dict[AttentionShape, str] = field(default_factory=dict)
    otherwise: str = USUAL

    @property
    def name(self) -> str:
        """The kernels in use, the one with most of the multiplications first."""
        work: Counter[str] = Counter()
        for shape, name in self.shapes.items():
            work[name] += shape.heads * shape.queries * shape.keys * shape.size
        return "+".join(name for name, _ in work.most_common()) or self.otherwise

    @property
    def shapes_of(self) -> Mapping[str, int]:
        """How many shapes each kernel has."""
        return Counter(self.shapes.values())


class ChosenAttention:
    """Attention as diffusers' `AttnProcessor2_0` computes it, with a kernel for each shape.

    Kernels are called by name rather than switched on for torch's own function: that switch is
    the whole process', and models with other shapes, text encoders and VAE share the process.
    """

    def __init__(self, choice: AttentionChoice) -> None:
        kernels = all_kernels()
        self._otherwise = kernels[choice.otherwise]
        self._kernels = {
            (shape.heads, shape.queries, shape.keys, shape.size): kernels[name]
            for shape, name in choice.shapes.items()
        }

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        usual: bool = False,
    ) -> Tensor:
        """`usual`: by torch's own order of kernels, which no timing has chosen."""
        rows, tokens, _ = hidden_states.shape
        query, key, value = (
            states.view(rows, -1, attn.heads, states.shape[-1] // attn.heads).transpose(1, 2)
            for states in projected(attn, hidden_states, encoder_hidden_states)
        )
        if attention_mask is not None:
            keys = key.shape[2]
            mask = attn.prepare_attention_mask(attention_mask, keys, rows)
            mask = mask.view(rows, attn.heads, -1, mask.shape[-1])
            found = scaled_dot_product_attention(query, key, value, attn_mask=mask)
        elif usual:
            found = scaled_dot_product_attention(query, key, value)
        else:
            found = self._kernel(query, key)(query, key, value)
        found = found.transpose(1, 2).reshape(rows, tokens, -1)
        attended: Tensor = attn.to_out[0](found)
        return attended

    def _kernel(self, query: Tensor, key: Tensor) -> Kernel:
        _, heads, queries, size = query.shape
        return self._kernels.get((heads, queries, key.shape[2], size), self._otherwise)


class _Recorder(ChosenAttention):
    """Computes as usual and notes the shapes."""

    def __init__(self) -> None:
        super().__init__(AttentionChoice())
        self.seen: dict[AttentionShape, tuple[int, torch.dtype]] = {}

    def _kernel(self, query: Tensor, key: Tensor) -> Kernel:
        shape = AttentionShape(query.shape[1], query.shape[2], key.shape[2], query.shape[3])
        self.seen[shape] = len(query), query.dtype
        return self._otherwise


def use_attention(unet: Any, choice: AttentionChoice) -> None:
    """Let the UNet compute its attention by this choice."""
    _use(unet, ChosenAttention(choice))


def choose_attention(
    unet: Any, device: Device, wanted: Attention, run_tick: Callable[[], object]
) -> AttentionChoice:
    """Time the kernels on the shapes that a tick has, and let the UNet use the fastest."""
    recorder = _Recorder()
    _use(unet, recorder)
    run_tick()
    if wanted is Attention.XFORMERS:
        choice = AttentionChoice(dict.fromkeys(recorder.seen, XFORMERS), XFORMERS)
    else:
        names = candidates(device, wanted)
        choice = AttentionChoice(
            {
                shape: _fastest(_example(shape, *of, device), names, device)
                for shape, of in recorder.seen.items()
            }
        )
    use_attention(unet, choice)
    return choice


def candidates(device: Device, wanted: Attention) -> list[str]:
    """The kernels to be timed on this device."""
    if not device.is_cuda:
        return ["sdpa-flash-cpu", "sdpa-math"]
    found = ["sdpa-flash", "sdpa-cudnn", "sdpa-efficient", "sdpa-math"]
    if wanted is Attention.AUTO and importlib.util.find_spec("xformers"):
        found.append(XFORMERS)
    return found


def all_kernels() -> Mapping[str, Kernel]:
    """Every kernel by its name; xformers' where it is installed beside CUDA."""
    aten = torch.ops.aten

    def usual(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return scaled_dot_product_attention(query, key, value)

    def flash(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return aten._scaled_dot_product_flash_attention(query, key, value)[0]  # type: ignore[no-any-return]

    def flash_on_cpu(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return aten._scaled_dot_product_flash_attention_for_cpu(query, key, value)[0]  # type: ignore[no-any-return]

    def cudnn(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return aten._scaled_dot_product_cudnn_attention(query, key, value, None, False)[0]  # type: ignore[no-any-return]

    def efficient(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return aten._scaled_dot_product_efficient_attention(query, key, value, None, False)[0]  # type: ignore[no-any-return]

    def math(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return aten._scaled_dot_product_attention_math(query, key, value)[0]  # type: ignore[no-any-return]

    kernels: dict[str, Kernel] = {
        USUAL: usual,
        "sdpa-flash": flash,
        "sdpa-flash-cpu": flash_on_cpu,
        "sdpa-cudnn": cudnn,
        "sdpa-efficient": efficient,
        "sdpa-math": math,
    }
    if torch.cuda.is_available() and importlib.util.find_spec("xformers"):
        attend = importlib.import_module("xformers.ops").memory_efficient_attention

        def xformers(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            by_token = (states.transpose(1, 2) for states in (query, key, value))
            return attend(*by_token).transpose(1, 2)  # type: ignore[no-any-return]

        kernels[XFORMERS] = xformers
    return kernels


def _use(unet: Any, processor: ChosenAttention) -> None:
    for module in unet.modules():
        # Those with more to them (norms, a shortcut) are of other kinds of UNets.
        if isinstance(module, diffusers.models.attention_processor.Attention) and _is_plain(module):
            module.set_processor(processor)  # type: ignore[arg-type] # any callable will do


def _is_plain(attn: Any) -> bool:
    extras = (attn.group_norm, attn.spatial_norm, attn.norm_cross, attn.norm_q, attn.norm_k)
    shortcut = attn.residual_connection or attn.rescale_output_factor != 1.0
    return not shortcut and all(extra is None for extra in extras)


def _example(
    shape: AttentionShape, rows: int, dtype: torch.dtype, device: Device
) -> tuple[Tensor, Tensor, Tensor]:
    """Query, key and value as they come from the projections, by token."""
    query, key, value = (
        torch.randn(rows, tokens, shape.heads * shape.size, device=device.place).to(dtype)
        for tokens in (shape.queries, shape.keys, shape.keys)
    )
    return tuple(  # type: ignore[return-value]
        states.view(rows, -1, shape.heads, shape.size).transpose(1, 2)
        for states in (query, key, value)
    )


def _fastest(example: tuple[Tensor, Tensor, Tensor], names: Sequence[str], device: Device) -> str:
    """The fastest of the kernels that take the shape and do not care for a row's place."""
    kernels = all_kernels()
    seconds: dict[str, float] = {}
    for name in names:
        try:
            found = kernels[name](*example)
            turned = kernels[name](*(states.flip(0) for states in example))
        except torch.AcceleratorError:
            raise
        except (RuntimeError, ValueError):  # it is not for this shape or device, or too large
            continue
        if torch.equal(found, turned.flip(0)):
            seconds[name] = min(_seconds(kernels[name], example, device) for _ in range(ROUNDS))
    return min(seconds, key=lambda name: seconds[name], default=USUAL)


def _seconds(kernel: Kernel, example: tuple[Tensor, Tensor, Tensor], device: Device) -> float:
    if not device.is_cuda:
        began = time.perf_counter()
        for _ in range(CALLS):
            kernel(*example)
        return time.perf_counter() - began
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    start.record()
    for _ in range(CALLS):
        kernel(*example)
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end)) / 1000
