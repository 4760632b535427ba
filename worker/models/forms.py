"""Forms: calls of a module with tensors of one shape, in buffers that stay, made faster ahead."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from worker.models.device import Device

# Calls before a capture: libraries choose their kernels and take their working memory in them.
CALLS_BEFORE_CAPTURE = 2

Forward = Callable[..., Tensor]


class Form:
    """One function at one shape. Everything runs on the calling thread's current stream.

    What is given is copied into the form's own buffers, because a captured graph reads and writes
    the addresses that it was captured with, and a compiled function the strides.
    """

    def __init__(self, forward: Forward, example: Sequence[Tensor | None], fresh: int = 1) -> None:
        """`example`: one tensor for each argument, or None where the model takes none.

        The first `fresh` arguments are other values at each call; of the rest, the same tensor
        twice running is the same values.
        """
        self._forward = forward
        self._fresh = fresh
        self._buffers = [None if one is None else torch.empty_like(one) for one in example]
        self._given: list[Tensor | None] = [None] * len(example)
        self._output: Tensor | None = None
        self._graph: torch.cuda.CUDAGraph | None = None
        self._fill(example)

    def build(self) -> None:
        """Call the function once, so that what is built at its first call is built."""
        self._forward(*self._buffers)

    def capture(self, pool: Any) -> None:
        """Record the function as a CUDA graph whose memory is of this pool.

        Other threads may use the device; those that share work with it are to be held.
        """
        current = torch.cuda.current_stream()
        beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        beside.wait_stream(current)
        with torch.cuda.stream(beside):
            for _ in range(CALLS_BEFORE_CAPTURE):
                self._forward(*self._buffers)
        current.wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            self._output = self._forward(*self._buffers)
        self._graph = graph

    def __call__(self, *given: Tensor | None) -> Tensor:
        """The function's answer; a captured one is overwritten by the next call."""
        self._fill(given)
        if self._graph is None:
            return self._forward(*self._buffers)
        assert self._output is not None
        self._graph.replay()
        return self._output

    def _fill(self, given: Sequence[Tensor | None]) -> None:
        for place, (buffer, tensor) in enumerate(zip(self._buffers, given, strict=True)):
            if place < self._fresh or tensor is not self._given[place]:
                if buffer is None or tensor is None or buffer.shape != tensor.shape:
                    raise ValueError("a form was given tensors of another shape")
                buffer.copy_(tensor, non_blocking=True)
                self._given[place] = tensor

    def fits(self, *given: Tensor) -> bool:
        """Whether tensors of these shapes may be given."""
        return [tensor.shape for tensor in given] == [
            buffer.shape for buffer in self._buffers if buffer is not None
        ]


@dataclass(frozen=True, slots=True)
class UNetShape:
    """What tells a UNet's forms apart."""

    rows: int
    latent: tuple[int, ...]  # of what it sees: [C, H, W]
    context_tokens: int


@dataclass(frozen=True, eq=False, slots=True)
class UNetInput:
    """What a UNet reads of a plain batch, a line for each row.

    Attributes:
        latents: [rows, C, H, W], in the model's precision.
        timesteps: [rows].
        contexts: [rows, L, D].
        guidance_embeddings: [rows, width], None for most UNets.
        added: SDXL's pooled prompts [rows, P] and sizes [rows, 6], None for others.
    """

    latents: Tensor
    timesteps: Tensor
    contexts: Tensor
    guidance_embeddings: Tensor | None
    added: dict[str, Tensor] | None

    @property
    def shape(self) -> UNetShape:
        """Which form fits it."""
        rows, *latent = self.latents.shape
        return UNetShape(rows, tuple(latent), self.contexts.shape[1])

    def tensors(self) -> tuple[Tensor | None, ...]:
        """In the order of `plain_forward`'s arguments."""
        added = self.added or {}
        return (
            self.latents,
            self.timesteps,
            self.contexts,
            self.guidance_embeddings,
            added.get("text_embeds"),
            added.get("time_ids"),
        )


def plain_forward(unet: Any) -> Forward:
    """The UNet as a function of tensors alone."""

    def forward(
        latents: Tensor,
        timesteps: Tensor,
        contexts: Tensor,
        guidance_embeddings: Tensor | None,
        text_embeds: Tensor | None,
        time_ids: Tensor | None,
    ) -> Tensor:
        added = None if text_embeds is None else {"text_embeds": text_embeds, "time_ids": time_ids}
        answer: Tensor = unet(
            latents,
            timesteps,
            encoder_hidden_states=contexts,
            timestep_cond=guidance_embeddings,
            added_cond_kwargs=added,
            return_dict=False,
        )[0]
        return answer

    return forward


def bare_twin(module: Module) -> Module:
    """The same weights in modules of their own, without hooks.

    LoRAs' hooks come and go on the original between ticks; a form must never hold one. To be
    called on the thread that sets the hooks.
    """
    owned = [value for one in module.modules() for value in vars(one).values()]
    tensors = [*module.parameters(), *module.buffers()]
    tensors += [value for value in owned if isinstance(value, Tensor)]
    twin = deepcopy(module, {id(tensor): tensor for tensor in tensors})
    for one in twin.modules():
        one._forward_hooks.clear()
    return twin


class GraphPool:
    """The memory that a model's graphs share; capture the largest form first."""

    def __init__(self, device: Device, held: Callable[[], AbstractContextManager[None]]) -> None:
        """`held`: while it is entered, the other device threads do nothing."""
        self._pool = torch.cuda.graph_pool_handle() if device.is_cuda else None
        self.held = held if device.is_cuda else nullcontext

    def capture(self, form: Form) -> None:
        """On a CPU there is nothing to capture: a replay is the plain call in the same buffers."""
        if self._pool is not None:
            form.capture(self._pool)
