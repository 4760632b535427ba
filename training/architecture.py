"""The model's parts: Stable Diffusion 1.5's own classes at small size."""

from typing import Any

from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from training import tokenizer
from training.config import Config

LATENT_PIXEL = 8  # pixels of the picture a side
TEXT_HEADS = 4
UNET_HEADS = 4


def autoencoder(config: Config) -> Any:
    """f8: three halvings, `[n, 3, 128, 128]` to `[n, 4, 16, 16]`."""
    channels = config.vae.channels
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        block_out_channels=tuple(channels),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=16,
        sample_size=config.picture_size,
    )


def text_encoder(config: Config) -> Any:
    width = config.denoiser.text_width
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=tokenizer.VOCABULARY,
            hidden_size=width,
            intermediate_size=4 * width,
            projection_dim=width,
            num_hidden_layers=config.denoiser.text_layers,
            num_attention_heads=TEXT_HEADS,
            max_position_embeddings=tokenizer.LENGTH,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=1,
        )
    )


def unet(config: Config) -> Any:
    """Two levels, 16x16 and 8x8; attention, to the picture and the text, on the lower one."""
    return UNet2DConditionModel(
        sample_size=config.picture_size // LATENT_PIXEL,
        block_out_channels=tuple(config.denoiser.channels),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=config.denoiser.layers,
        cross_attention_dim=config.denoiser.text_width,
        attention_head_dim=UNET_HEADS,
        norm_num_groups=32,
    )


def scheduler() -> Any:
    """Stable Diffusion 1.5's noise schedule, with DPM++ 2M to sample.

    SD 1.5's own default, PNDM, overshoots with guidance in 20 steps on this small model.
    """
    return DPMSolverMultistepScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        num_train_timesteps=1000,
        prediction_type="epsilon",
        timestep_spacing="leading",
        steps_offset=1,
    )
