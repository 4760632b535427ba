"""A head start for the text encoder: from a caption, tell the picture's latents and its name.

As in Stable Diffusion, the text encoder knows pictures before the denoiser meets it; here the
task is regression instead of contrast, because each caption has exactly one picture.
"""

from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from training import architecture, checkpoint, device, progress
from training.config import Config
from training.errors import TrainingError
from training.progress import Stop
from training.samples import Samples
from training.trainee import Trainee

BATCH = 32
LEARNING_RATE = 2e-3
NAME_WEIGHT = 0.2
DECAY = 0.98
TARGET_SIZE = 8  # rows and columns; fine detail is the denoiser's business


class Pupil(torch.nn.Module):
    """The text encoder and the two heads that are thrown away afterwards."""

    def __init__(self, config: Config, pictures: int, target: int) -> None:
        super().__init__()
        width = config.denoiser.text_width
        self.text: Any = architecture.text_encoder(config)
        self.tell = torch.nn.Linear(width, target)
        self.name = torch.nn.Linear(width, pictures)

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Told latents `[n, target]` and the logits of the pictures `[n, pictures]`."""
        summary = any_after_end(self.text(tokens).last_hidden_state, tokens)
        return self.tell(summary), self.name(summary)


def train(config: Config, state: Path, stop: Stop) -> bool:
    """Train or resume; leaves `text.pt` under `state`."""
    machine = device.pick()
    samples = Samples(config, state)
    targets = coarse(samples.latents)
    torch.manual_seed(config.seed)
    pupil = Pupil(config, *targets.shape)
    trainee = Trainee(pupil, state / "text.pt", DECAY)

    def loss_of(step: int) -> torch.Tensor:
        draw = samples.draw(step, BATCH, config.denoiser.taught, dropped=0.0)
        torch.manual_seed(config.seed + step)
        with device.autocast(machine):
            told, names = trainee.module(draw.tokens.to(machine))
        told_loss = functional.mse_loss(told.float(), targets[draw.rows].to(machine))
        name_loss = functional.cross_entropy(names.float(), draw.rows.to(machine))
        return told_loss + NAME_WEIGHT * name_loss

    total = config.denoiser.text_steps

    def rate_of(step: int) -> float:
        return device.cosine(LEARNING_RATE, step, total)

    return progress.train("text", trainee, total, state, stop, loss_of, rate_of)


def taught(state: Path) -> dict[str, torch.Tensor]:
    """The text encoder's weights after this stage. Raises TrainingError if it was not run."""
    path = state / "text.pt"
    saved = checkpoint.load(path)
    if saved is None:
        raise TrainingError(f"no text encoder under {state}: run python -m training.train")
    return {k.removeprefix("text."): v for k, v in saved["average"].items() if "text." in k}


def coarse(latents: torch.Tensor) -> torch.Tensor:
    """What the text encoder is to tell, `[n, target]`, of latents `[n, 4, 16, 16]`."""
    return functional.adaptive_avg_pool2d(latents, TARGET_SIZE).flatten(1)


def any_after_end(hidden: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """One hidden state `[n, width]` a row, from the caption's end or any padding after it.

    The attention is causal, so all of these have seen the whole caption, and the denoiser will
    look at all of them.
    """
    length = tokens.shape[1]
    end = (tokens == 1).int().argmax(dim=1)
    place = end + (torch.rand(len(tokens), device=tokens.device) * (length - end)).long()
    return hidden[torch.arange(len(tokens), device=tokens.device), place]
