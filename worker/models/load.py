"""Loads a model's parts, each with the library's own class, and puts them together."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors import SafetensorError

from shared.catalog import Family, ModelEntry
from shared.errors import ConfigurationError
from worker.models.attention import AttentionChoice, use_attention
from worker.models.checkpoint import convert_vae
from worker.models.control_nets import load_controls
from worker.models.device import Device, DeviceSettings, resolve_device
from worker.models.embeddings import load_embeddings
from worker.models.files import check_hashes, files_of, locate_model, locate_weights
from worker.models.fingerprint import fingerprint
from worker.models.folder import weight_files
from worker.models.fused_qkv import fuse_projections
from worker.models.image import Autoencoder
from worker.models.lora import load_loras
from worker.models.parts import ModelParts, open_parts
from worker.models.resident import ResidentModel
from worker.models.text import load_text
from worker.models.weights import build_module, count_elements, module_bytes, read_weights
from worker.samplers.catalog import SAMPLERS, make_scheduler


def load_model(entry: ModelEntry, settings: DeviceSettings) -> ResidentModel:
    """Load a model to the device.

    Raises ConfigurationError with the reason where its files, their content or the device are
    not what they should be.
    """
    device = resolve_device(settings)
    check_defaults(entry)
    path = locate_model(entry)
    try:
        check_hashes(entry, path)
        parts = open_parts(path, entry.family, entry.config)
        unet = parts.module("unet", UNet2DConditionModel, device)
        vae_device = _vae_device(entry, parts, device)
        vae = _load_vae(entry, parts, vae_device)
        text = load_text(parts, entry.family, device)
        controls = load_controls(entry, unet, device)
        load_embeddings(entry.embeddings, text)
        loras = load_loras(entry.loras, unet, text, device)
        scheduler_config = parts.scheduler_config
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        RuntimeError,
        SafetensorError,
        ConfigurationError,
    ) as error:
        reason = str(error).splitlines()[0]
        raise ConfigurationError(f"model {entry.id} in {path}: {reason}") from error
    if entry.prediction is not None:
        scheduler_config["prediction_type"] = entry.prediction
    _check_sampler(entry, scheduler_config)
    use_attention(unet, AttentionChoice())
    if device.is_cuda:
        fuse_projections(unet)
        unet = unet.to(memory_format=torch.channels_last)
        vae = vae.to(memory_format=torch.channels_last)
        torch.cuda.current_stream().synchronize()
    return ResidentModel(
        entry=entry,
        device=device,
        settings=settings,
        unet=unet,
        text=text,
        autoencoder=Autoencoder(vae, vae_device),
        controls=controls,
        loras=loras,
        scheduler_config=scheduler_config,
        weight_bytes=module_bytes([unet, vae, *text.modules, *controls.values()]) + loras.bytes,
        identity=fingerprint(files_of(entry, path), scheduler_config),
    )


def estimate_bytes(entry: ModelEntry, settings: DeviceSettings) -> int:
    """What the model's weights will take, by the headers of its files.

    Raises ConfigurationError as `load_model` does, as far as can be told without loading.
    """
    path = locate_model(entry)
    try:
        return count_elements(files_of(entry, path)) * resolve_device(settings).dtype.itemsize
    except (OSError, SafetensorError) as error:
        raise ConfigurationError(f"model {entry.id} in {path}: {error}") from error


def check_defaults(entry: ModelEntry) -> None:
    """Raises ConfigurationError where the entry's defaults name no sampler of ours."""
    sampler, schedule = entry.defaults.sampler, entry.defaults.schedule
    if sampler not in SAMPLERS or schedule not in SAMPLERS[sampler].schedules:
        raise ConfigurationError(
            f"model {entry.id}: there is no sampler {sampler!r} with the schedule {schedule!r}"
        )


def _check_sampler(entry: ModelEntry, scheduler_config: Mapping[str, Any]) -> None:
    # The gateway refuses samplers of another kind than the default's.
    try:
        make_scheduler(scheduler_config, entry.defaults.sampler, entry.defaults.schedule)
    except ValueError as error:
        raise ConfigurationError(
            f"model {entry.id}: its default sampler does not fit: {error}"
        ) from error


def _vae_device(entry: ModelEntry, parts: ModelParts, device: Device) -> Device:
    if entry.vae is not None or device.dtype != torch.float16 or entry.family is not Family.SDXL:
        return device
    # The activations of SDXL's first VAE pass the range of fp16.
    forced = parts.config("vae").get("force_upcast", True)
    return replace(device, dtype=torch.float32) if forced else device


def _load_vae(entry: ModelEntry, parts: ModelParts, device: Device) -> Any:
    """The entry's own VAE, else the model's; it is described by the model's configuration."""
    if entry.vae is None:
        return parts.module("vae", AutoencoderKL, device)
    path = locate_weights(entry.vae)
    check_hashes(entry.vae, path)
    if path.is_dir():
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
        weights = read_weights(weight_files(path))
    else:
        config = parts.config("vae")
        weights = convert_vae(read_weights([path]), config)
    return build_module(AutoencoderKL, config, weights, device.place, device.dtype)
