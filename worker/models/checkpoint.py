"""A model in one `.safetensors` file, as the original trainers and most model sites have it."""

from pathlib import Path
from typing import Any

from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import (
    convert_ldm_clip_checkpoint,
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
)
from torch import Tensor
from transformers import CLIPTokenizer

from shared.catalog import Family
from shared.errors import ConfigurationError
from worker.models.device import Device
from worker.models.folder import ModelFolder
from worker.models.weights import build_module, read_weights

ARCHITECTURES = Path(__file__).parent / "architectures"

UNET = "model.diffusion_model."
CONV_IN = f"{UNET}input_blocks.0.0.weight"
CROSS_ATTENTION = ".transformer_blocks.0.attn2.to_k.weight"

# The width of what the UNet attends to tells the architectures apart.
ARCHITECTURE_OF_WIDTH = {768: "sd1", 1024: "sd2", 2048: "sdxl"}
FAMILIES = {"sd1": Family.SD, "sd2": Family.SD, "sdxl": Family.SDXL}

# Where checkpoints keep text encoders in OpenCLIP's layout; all others are in CLIP's.
OPEN_CLIP_PREFIXES = {
    "text_encoder": "cond_stage_model.model.",
    "text_encoder_2": "conditioner.embedders.1.model.",
}

# Empty tensors by which trainers mark what the weights do not show.
V_PREDICTION_MARK = "v_pred"
ZERO_TERMINAL_SNR_MARK = "ztsnr"


class Checkpoint:
    """A file's weights, and the configurations that it lacks: shipped, or a folder's.

    Raises OSError, SafetensorError or ConfigurationError where the file is not what it should be.
    """

    def __init__(self, file: Path, family: Family, configuration: Path | None) -> None:
        self._weights = read_weights([file])
        if CONV_IN not in self._weights:
            raise ConfigurationError("it holds no Stable Diffusion UNet")
        if configuration is None:
            architecture = _architecture(self._weights)
            if FAMILIES[architecture] is not family:
                raise ConfigurationError(f"it is of the family `{FAMILIES[architecture]}`")
            configuration = ARCHITECTURES / architecture
        self._folder = ModelFolder(configuration)

    @property
    def index(self) -> dict[str, Any]:
        """`model_index.json`."""
        return self._folder.index

    @property
    def scheduler_config(self) -> dict[str, Any]:
        """The architecture's, with what the file says of itself."""
        config = self._folder.scheduler_config
        if V_PREDICTION_MARK in self._weights:
            config["prediction_type"] = "v_prediction"
        if ZERO_TERMINAL_SNR_MARK in self._weights:
            config["rescale_betas_zero_snr"] = True
        return config

    def config(self, part: str) -> dict[str, Any]:
        """The part's `config.json`; inpainting UNets have more input channels."""
        config = self._folder.config(part)
        if part == "unet":
            config["in_channels"] = self._weights[CONV_IN].shape[1]
        return config

    def tokenizer(self, part: str) -> CLIPTokenizer:
        """The part's tokenizer."""
        return self._folder.tokenizer(part)

    def module(self, part: str, kind: Any, device: Device) -> Any:
        """The part with its weights, on the device."""
        config = self.config(part)
        try:
            weights = self._converted(part, kind, config)
            return build_module(kind, config, weights, device.place, device.dtype)
        except ConfigurationError as error:
            raise ConfigurationError(f"the part `{part}`: {error.detail}") from error

    def _converted(self, part: str, kind: Any, config: dict[str, Any]) -> dict[str, Tensor]:
        if kind is UNet2DConditionModel:
            unet: dict[str, Tensor] = convert_ldm_unet_checkpoint(self._weights, config)  # type: ignore[no-untyped-call]
            return unet
        if kind is AutoencoderKL:
            return convert_vae(self._weights, config)
        prefix = OPEN_CLIP_PREFIXES[part]
        if f"{prefix}token_embedding.weight" in self._weights:
            skeleton = kind.config_class.from_dict(config)
            open_clip: dict[str, Tensor] = convert_open_clip_checkpoint(  # type: ignore[no-untyped-call]
                _Configured(skeleton), self._weights, prefix
            )
            return open_clip
        clip: dict[str, Tensor] = convert_ldm_clip_checkpoint(self._weights)  # type: ignore[no-untyped-call]
        return clip


class _Configured:
    """All that the converter wants of a module."""

    def __init__(self, config: Any) -> None:
        self.config = config


def convert_vae(weights: dict[str, Tensor], config: dict[str, Any]) -> dict[str, Tensor]:
    """A VAE's weights under diffusers' names, out of a checkpoint or a file of its own."""
    if "decoder.mid_block.resnets.0.conv1.weight" in weights:
        return weights
    converted: dict[str, Tensor] = convert_ldm_vae_checkpoint(weights, config)  # type: ignore[no-untyped-call]
    return converted


def _architecture(weights: dict[str, Tensor]) -> str:
    widths = {
        tensor.shape[1]
        for name, tensor in weights.items()
        if name.startswith(UNET) and name.endswith(CROSS_ATTENTION)
    }
    if len(widths) != 1 or not widths <= ARCHITECTURE_OF_WIDTH.keys():
        raise ConfigurationError(
            f"its UNet attends to widths {sorted(widths)}; name a `config` folder that describes it"
        )
    return ARCHITECTURE_OF_WIDTH[widths.pop()]
