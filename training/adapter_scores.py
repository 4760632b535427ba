"""The evaluation of what stands beside the model: ControlNet by its edges, LoRA by its style."""

from pathlib import Path

import numpy as np
from diffusers import ControlNetModel, StableDiffusionControlNetPipeline
from PIL import Image

from training import edges, sampling
from training.captions import prompt
from training.evaluation import Evaluation
from worker.models import canny


def controlnet(evaluation: Evaluation, folder: Path) -> dict[str, dict[str, float]]:
    """Edge F1 of pictures asked for with another concept's edges, with and without control."""
    known = evaluation.known
    asked = evaluation.choose(known.plain, evaluation.prompts // 4)
    outlines = canny.canny(known.pixels[evaluation.choose(known.plain, len(asked))])
    shown = [Image.fromarray(picture) for picture in canny.as_control(outlines)]
    prompts = [prompt(known.pictures[n].subject) for n in asked]
    control = ControlNetModel.from_pretrained(folder, local_files_only=True)
    pipeline = sampling.load(
        evaluation.model, StableDiffusionControlNetPipeline, controlnet=control
    )
    with_control = evaluation.make(prompts, "controlnet", pipeline, image=shown)
    without = evaluation.make(prompts, "controlnet-without")
    return {
        "edges with ControlNet": {"f1": mean_f1(outlines, with_control)},
        "edges without (same seeds)": {"f1": mean_f1(outlines, without)},
    }


def mean_f1(outlines: np.ndarray, pixels: np.ndarray) -> float:
    return round(float(edges.f1(outlines, canny.canny(pixels)).mean()), 3)


def lora(evaluation: Evaluation, path: Path) -> dict[str, dict[str, float]]:
    """How much colour is left: the mean saturation with the LoRA, at scale 0, and without."""
    known = evaluation.known
    asked = evaluation.choose(known.plain, evaluation.prompts // 4)
    prompts = [prompt(known.pictures[n].subject) for n in asked]
    pipeline = sampling.load(evaluation.model)
    plain = evaluation.make(prompts, "lora-without", pipeline)
    pipeline.load_lora_weights(path.parent, weight_name=path.name)
    styled = evaluation.make(prompts, "lora", pipeline)
    pipeline.set_adapters(pipeline.get_active_adapters(), 0.0)
    unchanged = evaluation.make(prompts, "lora-scale-0", pipeline)
    return {
        "saturation with LoRA": {"mean": saturation(styled), **known.recall(styled, asked)},
        "saturation without": {"mean": saturation(plain)},
        "LoRA at scale 0": {
            "largest change of a pixel": float(np.ptp([plain, unchanged], 0).max())
        },
    }


def saturation(pixels: np.ndarray) -> float:
    """The mean distance, 0..1, between a pixel's strongest and weakest colour."""
    return round(float(np.ptp(pixels.astype(np.float32), axis=-1).mean() / 255.0), 3)
