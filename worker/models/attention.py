"""Chooses the implementation of attention: by name, or the fastest on the model's own shapes."""

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

import torch

from worker.models.device import Attention, Device


def choose_attention(
    unet: Any, device: Device, wanted: Attention, seconds_a_tick: Callable[[], float]
) -> str:
    """Set the UNet's attention for good and return its name.

    On a CPU that is `sdpa`. On CUDA `auto` times every candidate with `seconds_a_tick`. The
    kernels of `sdpa` are switched for the whole process, so no other thread may be at work.
    """
    if not device.is_cuda:
        return "sdpa"
    candidates = _candidates(unet, wanted)
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
    xformers = {"xformers": unet.enable_xformers_memory_efficient_attention}
    if wanted is Attention.SDPA:
        return sdpa
    if wanted is Attention.XFORMERS:
        return xformers
    installed = importlib.util.find_spec("xformers") is not None
    return {**sdpa, **xformers} if installed else sdpa
