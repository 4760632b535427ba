"""Training of the autoencoder: 128 px pictures to 16x16x4 latents and back."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from training import architecture, checkpoint, data, device, progress
from training.config import Config
from training.progress import Stop
from training.stage import run_stage
from training.trainee import Trainee

KL_WEIGHT = 2e-4  # of the mean squared error's scale; keeps latents near a normal distribution
EDGE_WEIGHT = 0.5
COLOUR_WEIGHT = 4.0  # without it, all hues of one brightness look alike for a thousand steps
DECAY = 0.995


def batch(pixels: np.ndarray, config: Config, step: int) -> torch.Tensor:
    """Seeded pictures or crops `[n, 3, h, w]` in -1..1, the same for the same step."""
    chance = np.random.default_rng((config.seed, step))
    size = config.vae.crop if step < config.vae.crop_steps else pixels.shape[1]
    ratio = pixels.shape[1] // size  # as many pixels a step, whatever the size
    crops = []
    for index in chance.integers(len(pixels), size=config.vae.batch * ratio * ratio):
        top, left = chance.integers(pixels.shape[1] - size + 1, size=2)
        crop = pixels[index, top : top + size, left : left + size]
        crops.append(crop[:, ::-1] if chance.random() < 0.5 else crop)
    return to_tensor(np.stack(crops))


def to_tensor(pixels: np.ndarray) -> torch.Tensor:
    """uint8 `[n, h, w, 3]` to float `[n, 3, h, w]` in -1..1, channels last in memory."""
    picture = torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2)
    return picture.float() / 127.5 - 1.0


def loss(vae: Any, pictures: torch.Tensor) -> torch.Tensor:
    """The error of the pictures given back, and a little KL."""
    posterior = vae.encode(pictures).latent_dist
    made = vae.decode(posterior.sample()).sample
    kl = posterior.kl().mean() / posterior.mean[0].numel()
    return torch.add(picture_loss(made, pictures), kl, alpha=KL_WEIGHT)


def picture_loss(made: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
    """Errors of pixels, of edges, and of the mean colour at each latent pixel."""
    total = functional.l1_loss(made, pictures) + functional.mse_loss(made, pictures)
    for dim in (2, 3):
        edges = made.diff(dim=dim) - pictures.diff(dim=dim)
        total = total + EDGE_WEIGHT * edges.abs().mean()
    colours = functional.avg_pool2d(made - pictures, architecture.LATENT_PIXEL)
    return total + COLOUR_WEIGHT * (colours.abs().mean() + colours.square().mean())


def train(config: Config, state: Path, stop: Stop) -> bool:
    """Train or resume; leaves `vae.pt`, and at the end `latents.pt`, under `state`."""
    machine = device.pick()
    whole = data.load(state)
    pixels = whole.pixels[[p.trained or p.held_out for p in whole.pictures]]
    torch.manual_seed(config.seed)
    trainee = Trainee(architecture.autoencoder(config), state / "vae.pt", DECAY)

    def loss_of(step: int) -> torch.Tensor:
        torch.manual_seed(config.seed + step)
        with device.autocast(machine):
            return loss(trainee.module, batch(pixels, config, step).to(machine))

    def rate_of(step: int) -> float:
        return device.cosine(config.vae.learning_rate, step, config.vae.steps)

    finished = progress.train("vae", trainee, config.vae.steps, state, stop, loss_of, rate_of)
    if finished and not (state / "latents.pt").exists():
        cache(trainee.average.eval(), whole.pixels, state, machine, config.denoiser.flips)
    return finished


@torch.inference_mode()
def encoded(vae: Any, pixels: np.ndarray) -> torch.Tensor:
    """Latents `[n, 4, 16, 16]` of unit variance of pictures `[n, 128, 128, 3]` uint8."""
    parts = [
        vae.encode(to_tensor(pixels[start : start + 32])).latent_dist.mean
        for start in range(0, len(pixels), 32)
    ]
    return torch.cat(parts).mul(vae.config.scaling_factor)


@torch.inference_mode()
def cache(vae: Any, pixels: np.ndarray, state: Path, machine: torch.device, flips: bool) -> None:
    """Write the latents of every picture, of its mirror image if asked for, and their scale.

    Prints how well the VAE gives the pictures back.
    """
    means, mirrored, errors = [], [], []
    for start in range(0, len(pixels), 32):
        pictures = to_tensor(pixels[start : start + 32]).to(machine)
        latent = vae.encode(pictures).latent_dist.mean
        made = vae.decode(latent).sample.clamp(-1.0, 1.0)
        errors.append((made - pictures).square().mean((1, 2, 3)))
        means.append(latent)
        if flips:
            mirrored.append(vae.encode(pictures.flip(3)).latent_dist.mean)
    latents = torch.cat(means).cpu()
    psnr = (-10.0 * torch.log10(torch.cat(errors) / 4.0)).mean().item()
    flipped = torch.cat(mirrored).cpu() if flips else None
    cached = {"latents": latents, "flipped": flipped, "std": latents.std().item()}
    checkpoint.save(state / "latents.pt", cached)
    print(f"VAE: {psnr:.2f} dB over {len(pixels)} pictures, latent std {latents.std():.3f}")


if __name__ == "__main__":
    run_stage("vae", __doc__, train)
