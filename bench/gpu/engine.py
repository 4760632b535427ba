"""The engine on CUDA at SD 1.5's real size: tick times by row bucket, attention, and overhead.

Weights are random, which changes no timing. Run as `python -m bench.gpu.engine`: it prints JSON.
"""

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from bench.requests import request
from shared.catalog import ModelDefaults, ModelEntry
from worker.engine.batcher import Batcher
from worker.engine.engine import Engine, TickReport
from worker.engine.sample import Kind
from worker.models.device import DeviceSettings
from worker.models.load import load_model

# FLOPs of one UNet row at 512 x 512, attention included.
ROW_TERAFLOPS = 0.803
STEPS = 30
ROUNDS = 5
SAMPLES = (1, 2, 4, 8)


def build_sd15(path: Path) -> None:
    """SD 1.5's architecture with random fp16 weights, in diffusers layout."""
    letters = [chr(code) for code in range(33, 127)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: index for index, word in enumerate(words)}
    text = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=768,
        intermediate_size=3072,
        num_hidden_layers=12,
        num_attention_heads=12,
        bos_token_id=vocabulary["<|startoftext|>"],
        eos_token_id=vocabulary["<|endoftext|>"],
    )
    encoder_blocks, decoder_blocks = ("DownEncoderBlock2D",) * 4, ("UpDecoderBlock2D",) * 4
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=encoder_blocks,
            up_block_types=decoder_blocks,
            layers_per_block=2,
            sample_size=512,
        ).half(),
        text_encoder=CLIPTextModel(text).half(),
        tokenizer=CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77),
        unet=UNet2DConditionModel(sample_size=64, cross_attention_dim=768).half(),
        scheduler=DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            steps_offset=1,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(path)


def run() -> dict[str, Any]:
    """Load, warm up, then time whole batches through the engine."""
    ticks: list[TickReport] = []
    with tempfile.TemporaryDirectory() as folder:
        build_sd15(Path(folder))
        defaults = ModelDefaults(steps=STEPS)
        entry = ModelEntry(id="sd15", family="sd", path=Path(folder), defaults=defaults)
        model = load_model(entry, DeviceSettings(device="cuda"))
    engine = Engine(
        Batcher(lambda _: model.stepper.max_rows), {"sd15": model.stepper}, ticks.append
    )
    engine.start()
    warm_up = model.warm_up(engine)
    model.stepper.max_rows = 2 * max(SAMPLES)
    found: dict[str, Any] = {
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "attention": warm_up.attention,
        "knee_rows": warm_up.max_rows,
        "tick_ms": {rows: s * 1000 for rows, s in warm_up.tick_seconds.items()},
        "tflops": {rows: rows * ROW_TERAFLOPS / s for rows, s in warm_up.tick_seconds.items()},
        "first_image_seconds": warm_up.image_seconds,
    }
    for count in SAMPLES:
        rounds = []
        for _ in range(ROUNDS):
            samples = [
                sample
                for seed in range(count)
                for sample in model.prepare(
                    f"job_{seed}",
                    request(model="sd15", seed=seed, steps=STEPS, schedule="karras"),
                    seed,
                    Kind.ORDINARY,
                )[0]
            ]
            ticks.clear()
            began = time.perf_counter()
            engine.submit(samples)
            for sample in samples:
                sample.finished.result()
            wall = time.perf_counter() - began
            device = sum(tick.seconds for tick in ticks)
            rounds.append((wall, (wall - device) / len(ticks)))
        found[f"samples_{count}"] = {
            "images_per_second_denoised": count / statistics.median(wall for wall, _ in rounds),
            # Host time that the device did not hide; a launch-bound tick shows in tick_ms.
            "gap_us_a_tick": statistics.median(gap for _, gap in rounds) * 1e6,
        }
    latent = samples[0].finished.result()
    began = time.perf_counter()
    for _ in range(ROUNDS):
        model.decode(latent)
    found["decode_ms"] = (time.perf_counter() - began) / ROUNDS * 1000
    engine.stop()
    model.close()
    return found


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
