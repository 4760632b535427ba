"""The model's scores: prompts asked of it, and judges who tell what came."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionImg2ImgPipeline
from PIL import Image

from training import colours, data, sampling
from training.captions import names, prompt
from training.config import Config
from training.judges import Judge, Nearest, train_judge
from training.sheets import contact_sheet
from training.vae import to_tensor

PROMPTS = 200  # for recall; half as many in Chinese, a quarter for colours and for pictures
STRENGTHS = (0.3, 0.6, 0.9)
JUDGE_STEPS = 1500
LOOKED_AT = (
    "a red apple", "1 girl", "a blue heart", "rocket, flat", "一个女孩", "红苹果", "a green apple",
    "a cat face", "a dog face", "a strawberry", "a sunflower", "a yellow car", "a house", "a rose",
    "a pizza", "一只蝴蝶", "a soccer ball", "a birthday cake", "a robot", "蓝色的心",
)  # fmt: skip


@dataclass(frozen=True)
class References:
    """The pictures that made pictures are compared with, and the judges who know them."""

    pictures: tuple[data.Picture, ...]
    pixels: np.ndarray
    nearest: Nearest
    judge: Judge
    taught: list[int]  # rows of the concepts that the denoiser has learnt; the rest distract

    @property
    def plain(self) -> list[int]:
        """Taught rows in their own colour."""
        return [n for n in self.taught if self.pictures[n].subject.colour is None]

    def copies(self, held_out: bool) -> list[int]:
        """Colour-shifted rows: of taught combinations, or of those that no caption had."""
        return [
            n
            for n in self.taught
            if self.pictures[n].subject.colour is not None and self.pictures[n].held_out == held_out
        ]

    def recall(self, pixels: np.ndarray, asked: Sequence[int]) -> dict[str, float]:
        """Top-1 and top-5 of the nearest picture, and top-1 of the CNN, in percent."""
        ranks = self.nearest.ranks(pixels, asked)
        with torch.inference_mode():
            named = self.judge(to_tensor(pixels)).argmax(1).numpy()
        right = self.nearest.classes[np.array(asked)]
        return {
            "top1": percent(ranks == 0),
            "top5": percent(ranks < 5),
            "cnn_top1": percent(named == right),
        }


def percent(hits: np.ndarray) -> float:
    return round(100.0 * float(np.mean(hits)), 1)


def references(config: Config, state: Path, judge_steps: int) -> References:
    """Everything trained, and the held-out copies; the CNN is trained on the same."""
    whole = data.load(state)
    rows = [n for n, p in enumerate(whole.pictures) if p.trained or p.held_out]
    pixels = np.array(whole.pixels[rows])
    nearest = Nearest(pixels)
    judge = train_judge(pixels, nearest.classes, config.seed, judge_steps)
    pictures = tuple(whole.pictures[n] for n in rows)
    all_taught = config.denoiser.taught == "all"
    taught = [n for n, picture in enumerate(pictures) if all_taught or picture.first]
    return References(pictures, pixels, nearest, judge, taught)


class Evaluation:
    """One model, its references, and a seeded choice of prompts."""

    def __init__(
        self,
        model: Path,
        config: Config,
        state: Path,
        out: Path,
        prompts: int = PROMPTS,
        judge_steps: int = JUDGE_STEPS,
    ) -> None:
        self.model = model
        self.prompts = prompts
        self.pipeline = sampling.load(model)
        self.known = references(config, state, judge_steps)
        self.out = out
        self.chance = np.random.default_rng(config.seed)

    def choose(self, rows: list[int], count: int) -> list[int]:
        """So many rows in random order, each as often as the others."""
        return [int(n) for n in np.resize(self.chance.permutation(rows), count)]

    def make(self, prompts: list[str], sheet: str, pipeline: Any = None, **options: Any) -> Any:
        pixels = sampling.generate(
            pipeline or self.pipeline, prompts, list(range(1000, 1000 + len(prompts))), **options
        )
        contact_sheet(pixels, prompts, self.out / f"{sheet}.png")
        return pixels

    def english(self) -> dict[str, dict[str, float]]:
        asked = self.choose(self.known.plain, self.prompts)
        pixels = self.make([prompt(self.known.pictures[n].subject) for n in asked], "recall")
        shuffled = [int(n) for n in self.chance.permutation(asked)]
        return {
            "recall": self.known.recall(pixels, asked),
            "shuffled prompts (control)": self.known.recall(pixels, shuffled),
        }

    def chinese(self) -> dict[str, float]:
        asked = self.choose(self.known.plain, self.prompts // 2)
        prompts = [f"一个{names(self.known.pictures[n].subject)[1]}" for n in asked]
        return self.known.recall(self.make(prompts, "chinese"), asked)

    def coloured(self, held_out: bool) -> dict[str, float]:
        asked = self.choose(self.known.copies(held_out), self.prompts // 4)
        subjects = [self.known.pictures[n].subject for n in asked]
        pixels = self.make([prompt(s) for s in subjects], f"colour{'-held-out' * held_out}")
        seen = np.array([colours.dominant(picture) for picture in pixels])
        follows = seen == np.array([s.colour for s in subjects])
        return {"colour follows": percent(follows), **self.known.recall(pixels, asked)}

    def image_to_image(self) -> dict[str, dict[str, float]]:
        """From another concept's picture to the asked one, at growing strength."""
        asked = self.choose(self.known.plain, self.prompts // 4)
        inputs = self.known.pixels[self.choose(self.known.plain, self.prompts // 4)]
        pipeline: Any = StableDiffusionImg2ImgPipeline(**self.pipeline.components)
        pipeline.set_progress_bar_config(disable=True)
        prompts = [prompt(self.known.pictures[n].subject) for n in asked]
        scores = {}
        for strength in STRENGTHS:
            pixels = self.make(
                prompts,
                f"image-to-image-{strength}",
                pipeline,
                image=[Image.fromarray(picture) for picture in inputs],
                strength=strength,
            )
            difference = pixels.astype(np.float32) - inputs
            scores[f"image to image, strength {strength}"] = {
                "distance to input": round(float(np.sqrt(np.square(difference).mean())) / 255, 3),
                **self.known.recall(pixels, asked),
            }
        return scores

    def scores(self) -> dict[str, dict[str, float]]:
        self.make(list(LOOKED_AT), "looked-at")
        return {
            **self.english(),
            "chinese prompts": self.chinese(),
            "colour prompts": self.coloured(held_out=False),
            "held-out colour combinations": self.coloured(held_out=True),
            **self.image_to_image(),
        }
