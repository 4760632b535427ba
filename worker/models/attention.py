"""Chooses the implementation of attention: by name, or the fastest on the model's own shapes."""

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

import torch

from worker.models.device import Attention, Device

XFORMERS = "xformers"


class AttentionChoice:
    """One choice for the whole process, made with its first model.

    The kernels of `sdpa` are switched for all threads at once, so that a model which is loaded
    beside running work takes what the first one chose.
    """

    def __init__(self, wanted: Attention) -> None:
        self._wanted = wanted
        self._name: str | None = None

    def settle(self, unet: Any, device: Device, seconds_a_tick: Callable[[], float]) -> str:
        """Set the UNet's attention for good and return its name.

        On a CPU that is `sdpa`. On CUDA the first UNet with `auto` has every candidate timed by
        `seconds_a_tick`; no other thread may be at work then.
        """
        if not device.is_cuda:
            return "sdpa"
        if self._name is None:
            self._name = _fastest(_candidates(unet, self._wanted), seconds_a_tick)
        elif self._name == XFORMERS:
            unet.enable_xformers_memory_efficient_attention()
        else:
            unet.set_default_attn_processor()
        return self._name


def _fastest(
    candidates: Mapping[str, Callable[[], None]], seconds_a_tick: Callable[[], float]
) -> str:
    seconds = {}
    for name, use in candidates.items():
        use()
        seconds[name] = seconds_a_tick()
    fastest = min(seconds, key=lambda name: seconds[name])
    candidates[fastest]()
    return fastest


def _candidates(unet: Any, wanted: Attention) -> Mapping[str, Callable[[], None]]:
    def use_sdpa(*, flash: bool, cudnn: bool) -> None:
        unet.set_default_attn_processor()
        torch.backends.cuda.enable_flash_sdp(flash)
        torch.backends.cuda.enable_cudnn_sdp(cudnn)

    # The memory-efficient and the plain kernel stay on: shapes that others refuse need them.
    sdpa = {
        "sdpa-flash": lambda: use_sdpa(flash=True, cudnn=False),
        "sdpa-cudnn": lambda: use_sdpa(flash=False, cudnn=True),
        "sdpa-efficient": lambda: use_sdpa(flash=False, cudnn=False),
    }
    xformers = {XFORMERS: unet.enable_xformers_memory_efficient_attention}
    if wanted is Attention.SDPA:
        return sdpa
    if wanted is Attention.XFORMERS:
        return xformers
    installed = importlib.util.find_spec("xformers") is not None
    return {**sdpa, **xformers} if installed else sdpa
