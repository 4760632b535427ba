"""What is measured: SD 1.5 and SDXL at their true sizes with random weights, or tiny ones.

Random weights change no timing. They do change pictures: what is said of closeness is of numbers.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from bench.requests import request
from shared.catalog import ModelDefaults, ModelEntry
from shared.request import GenerationRequest
from tests.tiny_model import build_tiny_sd
from tests.tiny_sdxl import build_tiny_sdxl
from worker.models.device import DeviceSettings
from worker.models.load import load_model
from worker.models.resident import ResidentModel

WORDS = 49408
DOWN, CROSS_DOWN = "DownBlock2D", "CrossAttnDownBlock2D"
UP, CROSS_UP = "UpBlock2D", "CrossAttnUpBlock2D"


@dataclass(frozen=True)
class Subject:
    """A model in a folder, and where it runs."""

    name: str
    path: Path
    side: int
    steps: int
    settings: DeviceSettings
    tiny: bool

    @property
    def family(self) -> str:
        """As the catalogue calls it."""
        return "sdxl" if self.name == "sdxl" else "sd"

    @property
    def place(self) -> str:
        """Where it runs."""
        return "cuda" if self.settings.device == "cuda" else "cpu"

    @property
    def pipeline_class(self) -> Any:
        """diffusers' own way to run it."""
        return StableDiffusionXLPipeline if self.family == "sdxl" else StableDiffusionPipeline

    def load(self, *, float8: bool = False) -> ResidentModel:
        """The model as a worker loads it; with 8-bit layers whatever they cost in closeness."""
        defaults = ModelDefaults(width=self.side, height=self.side, steps=self.steps)
        entry = ModelEntry(id="bench", family=self.family, path=self.path, defaults=defaults)
        return load_model(entry, replace(self.settings, float8=float8, float8_decibels=0.01))

    def pipeline(self) -> Any:
        """diffusers' pipeline as its documentation shows it."""
        dtype = torch.float16 if self.place == "cuda" else torch.float32
        options: dict[str, Any] = {"torch_dtype": dtype}
        if self.family == "sd":
            options["safety_checker"] = None
        pipeline = self.pipeline_class.from_pretrained(self.path, **options).to(self.place)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def request(self, **changes: Any) -> GenerationRequest:
        """A guided picture of the subject's size."""
        usual = {"width": self.side, "height": self.side, "steps": self.steps, "sampler": "euler"}
        return request(**usual | changes)


@contextmanager
def subjects(place: str, *, tiny: bool) -> Iterator[dict[str, Subject]]:
    """Both models, written for as long as the block runs."""
    settings = DeviceSettings(device="cuda" if place == "cuda" else "cpu")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        if tiny:
            build_tiny_sd(root / "sd15")
            build_tiny_sdxl(root / "sdxl")
        else:
            with torch.device(place):
                _write_sd15(root / "sd15")
                _write_sdxl(root / "sdxl")
        sides = {"sd15": 64, "sdxl": 64} if tiny else {"sd15": 512, "sdxl": 1024}
        steps = 4 if tiny else 30
        yield {
            name: Subject(name, root / name, side, steps, settings, tiny)
            for name, side in sides.items()
        }


def row_teraflops(unet: Any, inputs: dict[str, Any]) -> float:
    """Of one forward pass of these inputs, attention included, divided by its rows."""
    with torch.device("meta"):
        empty = type(unet).from_config(unet.config)
    on_meta = {name: _to_meta(value) for name, value in inputs.items()}
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        empty(**on_meta)
    return float(counter.get_total_flops()) / len(inputs["sample"]) / 1e12


def _to_meta(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _to_meta(inner) for name, inner in value.items()}
    if isinstance(value, torch.Tensor):
        return torch.empty(value.shape, dtype=torch.float32, device="meta")
    return value


def _write_sd15(path: Path) -> None:
    StableDiffusionPipeline(
        vae=_vae(512, 0.18215),
        text_encoder=CLIPTextModel(_clip_l()).half(),
        tokenizer=_tokenizer("<|endoftext|>"),
        unet=UNet2DConditionModel(sample_size=64, cross_attention_dim=768).half(),
        scheduler=_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(path)


def _write_sdxl(path: Path) -> None:
    unet = UNet2DConditionModel(
        sample_size=128,
        block_out_channels=(320, 640, 1280),
        down_block_types=(DOWN, CROSS_DOWN, CROSS_DOWN),
        up_block_types=(CROSS_UP, CROSS_UP, UP),
        transformer_layers_per_block=(1, 2, 10),
        attention_head_dim=(5, 10, 20),
        cross_attention_dim=2048,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
    ).half()
    second = CLIPTextConfig(
        vocab_size=WORDS,
        hidden_size=1280,
        intermediate_size=5120,
        projection_dim=1280,
        num_hidden_layers=32,
        num_attention_heads=20,
        hidden_act="gelu",
        bos_token_id=0,
        eos_token_id=2,
    )
    StableDiffusionXLPipeline(
        vae=_vae(1024, 0.13025),
        text_encoder=CLIPTextModel(_clip_l()).half(),
        text_encoder_2=CLIPTextModelWithProjection(second).half(),
        tokenizer=_tokenizer("<|endoftext|>"),
        tokenizer_2=_tokenizer("!"),
        unet=unet,
        scheduler=_scheduler(),
        add_watermarker=False,
    ).save_pretrained(path)


def _vae(side: int, scale: float) -> AutoencoderKL:
    """In half precision without SDXL's overflow: `force_upcast` is off, as in its mended VAE."""
    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        sample_size=side,
        scaling_factor=scale,
        force_upcast=False,
    ).half()


def _clip_l() -> CLIPTextConfig:
    marks = _vocabulary()
    return CLIPTextConfig(
        vocab_size=WORDS,
        hidden_size=768,
        intermediate_size=3072,
        num_hidden_layers=12,
        num_attention_heads=12,
        bos_token_id=marks["<|startoftext|>"],
        eos_token_id=marks["<|endoftext|>"],
    )


def _tokenizer(padding: str) -> CLIPTokenizer:
    tokenizer = CLIPTokenizer(vocab=_vocabulary(), merges=[], model_max_length=77)
    tokenizer.pad_token = padding
    return tokenizer


def _vocabulary() -> dict[str, int]:
    letters = [chr(code) for code in range(33, 127)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return {word: index for index, word in enumerate(words)}


def _scheduler() -> DDIMScheduler:
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        steps_offset=1,
    )
