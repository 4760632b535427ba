"""What the UNet attends to: one prompt's encoding, and many of unlike lengths as one batch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Context:
    """What the UNet attends to for one row.

    Attributes:
        states: [L, D] on the device, L a chunk's length times a power of two.
        chunks: how many chunks the prompt filled.
        padding: chunks of zeros at the end of `states`, to be masked.
        tokens: the prompt's length.
        parts: how many chunks the prompt's own breaks would have needed.
        left_out: how many more chunks the prompt has, which do not count.
        pooled: [P], the whole prompt as one vector, for models that take it (SDXL).
    """

    states: Tensor
    chunks: int
    padding: int
    tokens: int
    parts: int = 1
    left_out: int = 0
    pooled: Tensor | None = None

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return self.states.nbytes + (self.pooled.nbytes if self.pooled is not None else 0)

    def zeros(self) -> "Context":
        """The same with all values zero."""
        pooled = torch.zeros_like(self.pooled) if self.pooled is not None else None
        return replace(self, states=torch.zeros_like(self.states), pooled=pooled)


def padded_context(
    chunks: Sequence[Tensor], tokens: int, parts: int, left_out: int, pooled: Tensor | None
) -> Context:
    """One context of the chunks' states, [chunk length, D] each."""
    padding = _next_power_of_two(len(chunks)) - len(chunks)
    zeros = chunks[0].new_zeros(padding * chunks[0].shape[0], chunks[0].shape[1])
    states = torch.cat([*chunks, zeros])
    return Context(states, len(chunks), padding, tokens, parts, left_out, pooled)


def stack_contexts(contexts: Sequence[Context]) -> tuple[Tensor, Tensor | None]:
    """One context a row: [rows, L, D], and a [rows, L] mask (1 = attend) if any needs one.

    Shorter ones are repeated up to the longest: softmax over repeated keys is the same, so that
    prompts of any length share a batch.
    """
    length = max(context.states.shape[0] for context in contexts)
    states = torch.stack([_repeated(context.states, length) for context in contexts])
    if not any(context.padding for context in contexts):
        return states, None
    return states, torch.stack([_mask(context, length) for context in contexts])


def stack_pooled(contexts: Sequence[Context]) -> Tensor | None:
    """[rows, P], each row's prompt as one vector; None where the model takes none."""
    pooled = [context.pooled for context in contexts if context.pooled is not None]
    return torch.stack(pooled) if pooled else None


def _mask(context: Context, length: int) -> Tensor:
    own = context.states.shape[0]
    mask = context.states.new_ones(own, 1)
    mask[own * context.chunks // (context.chunks + context.padding) :] = 0
    return _repeated(mask, length).squeeze(1)


def _repeated(states: Tensor, length: int) -> Tensor:
    times = length // states.shape[0]
    return states.repeat(times, 1) if times > 1 else states  # once is a copy, too


def _next_power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()
