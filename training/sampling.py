"""Pictures from a model folder: prompts and seeds in, pixels out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from diffusers.utils import logging

from training.errors import TrainingError

BATCH = 20
STEPS = 20
GUIDANCE = 3.0


def load(folder: Path, kind: Any = StableDiffusionPipeline, **parts: Any) -> Any:
    """A pipeline of `kind` from a diffusers folder. Raises TrainingError if it is not one."""
    if not (folder / "model_index.json").exists():
        raise TrainingError(f"no model under {folder}: it has no model_index.json")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    pipeline = kind.from_pretrained(folder, local_files_only=True, **parts)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to("cuda" if torch.cuda.is_available() else "cpu")


def generate(
    pipeline: Any, prompts: Sequence[str], seeds: Sequence[int], **options: Any
) -> np.ndarray:
    """`[n, 128, 128, 3]` uint8, a picture for each prompt and seed.

    Options that are lists or arrays hold one entry a prompt, such as input images.
    """
    made = []
    for start in range(0, len(prompts), BATCH):
        rows = slice(start, start + BATCH)
        of_rows = {
            name: value[rows] if isinstance(value, list) else value
            for name, value in options.items()
        }
        settings = {"num_inference_steps": STEPS, "guidance_scale": GUIDANCE, **of_rows}
        generators = [torch.Generator().manual_seed(seed) for seed in seeds[rows]]
        pictures = pipeline(list(prompts[rows]), generator=generators, output_type="np", **settings)
        made.append((pictures.images * 255.0).round().astype(np.uint8))
    return np.concatenate(made)
