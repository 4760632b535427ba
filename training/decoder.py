"""Polish of the autoencoder's decoder alone, so that cached latents and the denoiser stay valid."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from training import architecture, checkpoint, data, device, progress
from training.config import Config
from training.errors import TrainingError
from training.progress import Stop
from training.stage import run_stage
from training.trainee import Trainee
from training.vae import picture_loss, to_tensor

NOISE = 0.05  # of the latents' variation: the denoiser's latents are not quite the encoder's
RATE = 0.25  # of the whole autoencoder's learning rate: a higher one undoes what was learnt
DECAY = 0.99


class Decoder(torch.nn.Module):
    """The half of the autoencoder that makes pictures."""

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.post_quant_conv = vae.post_quant_conv
        self.decoder = vae.decoder

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """Pictures `[n, 3, 128, 128]` in -1..1 of unscaled latents `[n, 4, 16, 16]`."""
        pictures: torch.Tensor = self.decoder(self.post_quant_conv(latents))
        return pictures


def train(config: Config, state: Path, stop: Stop) -> bool:
    """Train or resume; leaves `decoder.pt` under `state`, which the export prefers."""
    machine = device.pick()
    whole = data.load(state)
    kept = np.flatnonzero([p.trained or p.held_out for p in whole.pictures])
    cached = checkpoint.load(state / "latents.pt")
    trained = checkpoint.load(state / "vae.pt")
    if cached is None or trained is None:
        raise TrainingError(f"no latents under {state}: train the VAE first")
    vae = architecture.autoencoder(config)
    checkpoint.load_weights(vae, trained["average"], state / "vae.pt")
    trainee = Trainee(Decoder(vae), state / "decoder.pt", DECAY)

    def loss_of(step: int) -> torch.Tensor:
        rows = np.random.default_rng((config.seed, step)).choice(kept, config.vae.batch)
        torch.manual_seed(config.seed + step)
        latents = cached["latents"][rows]
        latents = latents + NOISE * cached["std"] * torch.randn_like(latents)
        pictures = to_tensor(whole.pixels[rows]).to(machine)
        with device.autocast(machine):
            return picture_loss(trainee.module(latents.to(machine)), pictures)

    def rate_of(step: int) -> float:
        return device.cosine(RATE * config.vae.learning_rate, step, steps)

    steps = config.vae.decoder_steps
    return progress.train("decoder", trainee, steps, state, stop, loss_of, rate_of)


if __name__ == "__main__":
    run_stage("decoder", __doc__, train)
