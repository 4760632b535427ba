"""Builds a tiny, randomly weighted Stable Diffusion from the classes of SD 1.5 itself."""

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

WIDTH = 32
CONTEXT_LENGTH = 77


def build_tiny_sd(path: Path, prediction_type: str = "epsilon", channels: int = 4) -> Path:
    """Write the model to `path` in diffusers layout (safetensors) and return `path`.

    Latents are an eighth of the picture's sides, as in SD 1.5; the weights are the same each time.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        pipeline = StableDiffusionPipeline(
            vae=vae(),
            text_encoder=text_encoder(),
            tokenizer=tokenizer(),
            unet=unet(channels),
            scheduler=scheduler(prediction_type),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    pipeline.save_pretrained(path, safe_serialization=True)
    return path


def build_tiny_control(path: Path, seed: int) -> Path:
    """Write a ControlNet that has something to say to the tiny model, other for each seed."""
    return write_control(path, unet(), seed)


def write_control(path: Path, unet: UNet2DConditionModel, seed: int) -> Path:
    """Write a ControlNet of this UNet's shape, with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = ControlNetModel.from_unet(
            unet, conditioning_embedding_out_channels=(4, 8, 16, 16), load_weights_from_unet=False
        )
        # As made, its outputs are zero: what training would begin with.
        for parameter in net.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
    net.save_pretrained(path, safe_serialization=True)
    return path


def unet(channels: int = 4) -> UNet2DConditionModel:
    """The UNet; with 9 channels it has inputs for a mask and a masked picture's latent."""
    return UNet2DConditionModel(
        in_channels=channels,
        sample_size=8,
        block_out_channels=(WIDTH, 2 * WIDTH),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        norm_num_groups=8,
    ).eval()


def vae() -> AutoencoderKL:
    channels = (8, 8, 16, 16)
    return AutoencoderKL(
        block_out_channels=channels,
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=64,
    ).eval()


def text_encoder() -> CLIPTextModel:
    marks = vocabulary()
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(marks),
            hidden_size=WIDTH,
            intermediate_size=2 * WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=CONTEXT_LENGTH,
            bos_token_id=marks["<|startoftext|>"],
            eos_token_id=marks["<|endoftext|>"],
            pad_token_id=marks["<|endoftext|>"],
        )
    ).eval()


def tokenizer() -> CLIPTokenizer:
    return CLIPTokenizer(vocab=vocabulary(), merges=[], model_max_length=CONTEXT_LENGTH)


def vocabulary() -> dict[str, int]:
    """Byte-level without merges: every text is spelled letter by letter."""
    letters = [chr(code) for code in (*range(33, 127), *range(161, 173), *range(174, 324))]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return {token: index for index, token in enumerate(tokens)}


def scheduler(prediction_type: str) -> DDIMScheduler:
    """SD 1.5's noise schedule."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type=prediction_type,
    )
