"""Builds a tiny, randomly weighted SDXL from the classes of SDXL itself."""

from pathlib import Path

import torch
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from tests.tiny_model import (
    WIDTH,
    scheduler,
    text_encoder,
    tokenizer,
    vae,
    vocabulary,
    write_control,
)

POOLED_WIDTH = 24
SECOND_WIDTH = 16
SIZE_WIDTH = 8  # of each of the six numbers in `time_ids`


def build_tiny_sdxl(
    path: Path, prediction_type: str = "epsilon", zeros: bool = True, channels: int = 4
) -> Path:
    """Write the model to `path` in diffusers layout (safetensors) and return `path`.

    `zeros`: an empty negative prompt is zeros, as in SDXL 1.0.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        second_tokenizer = tokenizer()
        second_tokenizer.pad_token = "!"
        pipeline = StableDiffusionXLPipeline(
            vae=vae(),
            text_encoder=text_encoder(),
            text_encoder_2=_second_text_encoder(),
            tokenizer=tokenizer(),
            tokenizer_2=second_tokenizer,
            unet=_unet(channels),
            scheduler=scheduler(prediction_type),
            force_zeros_for_empty_prompt=zeros,
            add_watermarker=False,
        )
    pipeline.save_pretrained(path, safe_serialization=True)
    return path


def _unet(channels: int = 4) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        in_channels=channels,
        sample_size=8,
        block_out_channels=(WIDTH, 2 * WIDTH),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2),
        cross_attention_dim=WIDTH + SECOND_WIDTH,
        attention_head_dim=(4, 8),
        norm_num_groups=8,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=SIZE_WIDTH,
        projection_class_embeddings_input_dim=POOLED_WIDTH + 6 * SIZE_WIDTH,
    ).eval()


def build_tiny_sdxl_control(path: Path) -> Path:
    """Write a ControlNet that has something to say to the tiny SDXL."""
    return write_control(path, _unet(), seed=0)


def _second_text_encoder() -> CLIPTextModelWithProjection:
    marks = vocabulary()
    return CLIPTextModelWithProjection(
        CLIPTextConfig(
            vocab_size=len(marks),
            hidden_size=SECOND_WIDTH,
            intermediate_size=2 * SECOND_WIDTH,
            projection_dim=POOLED_WIDTH,
            num_hidden_layers=3,
            num_attention_heads=2,
            hidden_act="gelu",
            bos_token_id=marks["<|startoftext|>"],
            eos_token_id=2,  # as published: the pooled vector is that of the largest id
            pad_token_id=marks["!"],
        )
    ).eval()
