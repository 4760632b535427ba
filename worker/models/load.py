"""Loads a model's parts from its directory, each with the library's own class."""

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.utils.logging import disable_progress_bar as quiet_diffusers
from safetensors import SafetensorError
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils.logging import disable_progress_bar as quiet_transformers

from shared.catalog import ModelEntry
from shared.errors import ConfigurationError
from worker.models.device import Device, DeviceSettings, resolve_device
from worker.models.files import locate_model
from worker.models.image import ImageDecoder
from worker.models.resident import ResidentModel
from worker.models.text import TextEncoder
from worker.samplers.catalog import SAMPLERS


def load_model(entry: ModelEntry, settings: DeviceSettings) -> ResidentModel:
    """Load a model of the family `sd` (Stable Diffusion 1.x and 2.x) to the device.

    Raises ConfigurationError with the reason where the directory, its content or the device is
    not what it should be.
    """
    device = resolve_device(settings)
    _check_defaults(entry)
    path = locate_model(entry)
    quiet_diffusers()
    quiet_transformers()  # type: ignore[no-untyped-call]
    try:
        unet = _module(UNet2DConditionModel, path / "unet", device)
        vae = _module(AutoencoderKL, path / "vae", device)
        text_model = _module(CLIPTextModel, path / "text_encoder", device)
        tokenizer = CLIPTokenizer.from_pretrained(path / "tokenizer", local_files_only=True)
        scheduler_config = json.loads((path / "scheduler" / "scheduler_config.json").read_text())
    except (OSError, ValueError, TypeError, RuntimeError, SafetensorError) as error:
        raise ConfigurationError(f"model {entry.id} in {path}: {error}") from error
    if device.is_cuda:
        unet = unet.to(memory_format=torch.channels_last)
        vae = vae.to(memory_format=torch.channels_last)
        torch.cuda.synchronize()
    return ResidentModel(
        entry=entry,
        device=device,
        attention=settings.attention,
        unet=unet,
        text=TextEncoder(tokenizer, text_model, device),
        image=ImageDecoder(vae, device),
        scheduler_config=scheduler_config,
    )


def _check_defaults(entry: ModelEntry) -> None:
    sampler, schedule = entry.defaults.sampler, entry.defaults.schedule
    if sampler not in SAMPLERS or schedule not in SAMPLERS[sampler].schedules:
        raise ConfigurationError(
            f"model {entry.id}: there is no sampler {sampler!r} with the schedule {schedule!r}"
        )


def _module(kind: Any, path: Path, device: Device) -> Any:
    module = kind.from_pretrained(
        path, dtype=device.dtype, use_safetensors=True, local_files_only=True
    )
    return module.to(device.place).eval().requires_grad_(False)
