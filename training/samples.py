"""What the denoiser and the text encoder see: pictures drawn by weight, captions, latents."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training import checkpoint, data, tokenizer
from training.captions import Subject, caption
from training.config import Config
from training.errors import TrainingError

COPY_WEIGHT = 0.2  # a colour-shifted copy is drawn less often than a concept
NO_CAPTION = 0.1  # of the captions are dropped, for classifier-free guidance


@dataclass(frozen=True)
class Draw:
    """One step's pictures: their rows, latents of unit variance, and caption tokens."""

    rows: torch.Tensor  # [n] int64
    latents: torch.Tensor  # [n, 4, 16, 16]
    tokens: torch.Tensor  # [n, 77] int64


class Samples:
    """Seeded draws; the same step gives the same draw, so that a resumed run goes on as it was."""

    def __init__(self, config: Config, state: Path) -> None:
        pictures = data.load(state).pictures
        cached = checkpoint.load(state / "latents.pt")
        if cached is None or len(cached["latents"]) != len(pictures):
            raise TrainingError(f"no latents of these pictures under {state}: train the VAE first")
        self.latents: torch.Tensor = cached["latents"] / cached["std"]
        self._flipped: torch.Tensor | None = None
        if config.denoiser.flips:
            if cached["flipped"] is None:
                raise TrainingError(f"the latents under {state} have no mirror images: remove them")
            self._flipped = cached["flipped"] / cached["std"]
        self._flippable = [picture.flippable for picture in pictures]
        self.subjects: list[Subject] = [picture.subject for picture in pictures]
        self._tokenizer: Any = tokenizer.load(state / "tokenizer")
        self._seed = config.seed
        weights = np.array([float(p.trained) for p in pictures])
        weights *= [1.0 if p.subject.colour is None else COPY_WEIGHT for p in pictures]
        first = weights * np.array([p.first for p in pictures])
        self._weights = {"all": weights / weights.sum(), "first": first / first.sum()}

    def draw(self, step: int, count: int, which: str, dropped: float = NO_CAPTION) -> Draw:
        chance = random.Random(self._seed * 1_000_003 + step)
        rows = np.random.default_rng((self._seed, step)).choice(
            len(self.subjects), size=count, p=self._weights[which]
        )
        texts = [
            "" if chance.random() < dropped else caption(self.subjects[row], chance) for row in rows
        ]
        index = torch.from_numpy(rows)
        latents = self.latents[index]
        if self._flipped is not None:
            turned = torch.tensor([self._flippable[n] and chance.random() < 0.5 for n in rows])
            latents = torch.where(turned.view(-1, 1, 1, 1), self._flipped[index], latents)
        return Draw(index, latents, self.tokens(texts))

    def taught(self, which: str) -> np.ndarray:
        """The rows that `draw` may draw, in order."""
        return np.flatnonzero(self._weights[which])

    def tokens(self, texts: list[str]) -> torch.Tensor:
        padded = self._tokenizer(
            texts, padding="max_length", truncation=True, max_length=tokenizer.LENGTH
        )
        return torch.tensor(padded.input_ids)
