"""Prompts to contexts: CLIP encodings, in as many chunks as the prompt needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from worker.models.device import Device, DeviceThread

# 118 kB each for SD 1.5 in fp16; the empty negative prompt is nearly every job's.
CACHED_CONTEXTS = 256


@dataclass(frozen=True, eq=False)
class Context:
    """What the UNet attends to for one row.

    Attributes:
        states: [L, D] on the device, L a chunk's length times a power of two.
        chunks: how many chunks the prompt filled.
        padding: chunks of zeros at the end of `states`, to be masked.
        tokens: the prompt's length.
    """

    states: Tensor
    chunks: int
    padding: int
    tokens: int


class TextEncoder:
    """A CLIP tokenizer and text model, on a thread of their own."""

    def __init__(self, tokenizer: Any, model: torch.nn.Module, device: Device) -> None:
        self._tokenizer = tokenizer
        self._model = model
        self._device = device
        self._thread = DeviceThread("text", device)
        # Only the text thread calls it.
        self._encode_cached = lru_cache(CACHED_CONTEXTS)(self._encode)

    @property
    def chunk_tokens(self) -> int:
        """Tokens of a prompt that fit one chunk, between its start and end marks."""
        return int(self._tokenizer.model_max_length) - 2

    @property
    def cache_hits_and_misses(self) -> tuple[int, int]:
        """How often a context was there already, and how often not, since the start."""
        info = self._encode_cached.cache_info()
        return info.hits, info.misses

    def encode(self, text: str) -> Context:
        """The text's context. From any thread but the device's own."""
        return self._thread.call(self._encode_cached, text)

    def close(self) -> None:
        """End the thread."""
        self._thread.close()

    def _encode(self, text: str) -> Context:
        # Each text runs alone: in a batch its bits would depend on the company.
        tokens = self._tokenizer(text, add_special_tokens=False, verbose=False).input_ids
        chunks = self._chunks(tokens)
        ids = torch.tensor(chunks, device=self._device.place)
        states = self._model(ids)[0].flatten(0, 1)
        padding = _next_power_of_two(len(chunks)) - len(chunks)
        zeros = states.new_zeros(padding * len(chunks[0]), states.shape[1])
        return Context(torch.cat([states, zeros]), len(chunks), padding, len(tokens))

    def _chunks(self, tokens: list[int]) -> list[list[int]]:
        """Cut where a chunk is full; each gets its own marks and is filled up, as CLIP knows it."""
        size = self.chunk_tokens
        start, end = self._tokenizer.bos_token_id, self._tokenizer.eos_token_id
        filler = self._tokenizer.pad_token_id
        return [
            [start, *piece, end, *[filler] * (size - len(piece))]
            for piece in (
                tokens[first : first + size] for first in range(0, max(len(tokens), 1), size)
            )
        ]


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


def _mask(context: Context, length: int) -> Tensor:
    own = context.states.shape[0]
    mask = context.states.new_ones(own, 1)
    mask[own * context.chunks // (context.chunks + context.padding) :] = 0
    return _repeated(mask, length).squeeze(1)


def _repeated(states: Tensor, length: int) -> Tensor:
    return states.repeat(length // states.shape[0], 1)


def _next_power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()
