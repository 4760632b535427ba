"""Prompts to contexts: one CLIP encoder or SDXL's two, on a thread of their own, cached."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from cachetools import LRUCache, cached
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from shared.catalog import Family
from worker.engine.sample import LoraSet
from worker.models.clip import ClipTower
from worker.models.context import Context, padded_context
from worker.models.device import Device, DeviceThread
from worker.models.parts import ModelParts
from worker.models.prompt import Prompt

# 118 kB a chunk for SD 1.5 in fp16, 315 kB for SDXL; the empty negative prompt is nearly every
# job's. Counted in bytes because one prompt may have 32 chunks.
CACHE_BYTES = 64 * 2**20


class TextEncoder:
    """A model's CLIP towers; a context has their states side by side."""

    def __init__(
        self, towers: Sequence[ClipTower], device: Device, *, zeros_for_empty: bool = False
    ) -> None:
        """`zeros_for_empty`: an empty negative prompt is zeros, not an encoding."""
        self.towers = tuple(towers)
        self.zeros_for_empty = zeros_for_empty
        self.observe: Callable[[bool], None] = lambda hit: None
        self._thread = DeviceThread("text", device)
        # Only the text thread calls it.
        cache: LRUCache[Any, Context] = LRUCache(CACHE_BYTES, getsizeof=lambda one: one.bytes)
        self._encode_cached = cached(cache, info=True)(self._encode)

    @property
    def chunk_tokens(self) -> int:
        """Tokens of a prompt that fit one chunk, between its start and end marks."""
        return self.towers[0].chunker.size

    @property
    def modules(self) -> list[torch.nn.Module]:
        """The text models."""
        return [tower.model for tower in self.towers]

    @property
    def most_skipped(self) -> int:
        """The largest `clip_skip` there is."""
        return min(tower.most_skipped for tower in self.towers)

    def encode(self, prompt: Prompt, clip_skip: int = 0, loras: LoraSet = ()) -> Context:
        """The prompt's context, with so many of the towers' last layers skipped.

        From any thread but the device's own. `observe` is told whether it was there already.
        """
        # LoRAs without a part here are not part of the cache's key.
        own = {lora for tower in self.towers for lora in tower.adapters.known(loras)}
        return self._thread.call(self._look_up, prompt, clip_skip, tuple(sorted(own)))

    def held(self) -> AbstractContextManager[None]:
        """The thread does nothing while the block runs."""
        return self._thread.held()

    def close(self) -> None:
        """End the thread."""
        self._thread.close()

    def _look_up(self, prompt: Prompt, clip_skip: int, loras: LoraSet) -> Context:
        hits = self._encode_cached.cache_info().hits
        context: Context = self._encode_cached(prompt, clip_skip, loras)
        self.observe(self._encode_cached.cache_info().hits > hits)
        return context

    def _encode(self, prompt: Prompt, clip_skip: int, loras: LoraSet) -> Context:
        cuts = [tower.chunker.cut(prompt) for tower in self.towers]
        states = []
        pooled = None
        for chunks in zip(*(cut.chunks for cut in cuts), strict=True):
            encoded = [
                tower.encode(chunk, clip_skip, loras)
                for tower, chunk in zip(self.towers, chunks, strict=True)
            ]
            states.append(torch.cat([of_tower for of_tower, _ in encoded], dim=1))
            if pooled is None:
                pooled = encoded[-1][1]  # the last tower's, of the first chunk
        first = cuts[0]
        return padded_context(states, first.tokens, first.parts, first.left_out, pooled)


def load_text(parts: ModelParts, family: Family, device: Device) -> TextEncoder:
    """A model's text encoders; raises what `parts` raises."""
    model = parts.module("text_encoder", CLIPTextModel, device)
    tokenizer = parts.tokenizer("tokenizer")
    if family is Family.SD:
        return TextEncoder([ClipTower(tokenizer, model, device, penultimate=False)], device)
    second = parts.module("text_encoder_2", CLIPTextModelWithProjection, device)
    towers = [
        ClipTower(tokenizer, model, device, penultimate=True),
        ClipTower(parts.tokenizer("tokenizer_2"), second, device, penultimate=True),
    ]
    zeros = parts.index.get("force_zeros_for_empty_prompt", True)
    return TextEncoder(towers, device, zeros_for_empty=zeros)
