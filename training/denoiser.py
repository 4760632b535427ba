"""Training of the denoiser: UNet and text encoder together, on cached latents."""

from pathlib import Path
from typing import Any

import torch

from training import architecture, checkpoint, device, progress, text
from training.config import Config
from training.progress import Stop
from training.samples import Samples
from training.stage import run_stage
from training.trainee import Trainee

VIEWS = 2  # noised copies of each drawn latent: they share one pass of the text encoder
DECAY = 0.999
TEXT_RATE = 0.3  # of the UNet's learning rate
SNR_LIMIT = 5.0
LARGEST_WEIGHT = 30.0


def weights(alphas: torch.Tensor) -> torch.Tensor:
    """The loss weight of each timestep's squared error in epsilon.

    Epsilon's own error hardly counts the noisiest steps, where the caption decides what the
    picture becomes: an error e of the predicted picture is SNR * e there. So errors count as
    v-prediction's would, SNR + 1 times the picture's, limited for clean pictures as in
    min-SNR weighting (Hang et al., 2023).
    """
    snr = alphas / (1.0 - alphas)
    return ((snr.clamp(max=SNR_LIMIT) + 1.0) / snr).clamp(max=LARGEST_WEIGHT)


def noised(
    latents: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Latents at random timesteps: (noisy latents, their noise, timesteps, loss weights)."""
    alphas = architecture.scheduler().alphas_cumprod.to(latents.device)
    noise = torch.randn_like(latents)
    times = stratified(len(latents), len(alphas), latents.device)
    level = alphas[times].view(-1, 1, 1, 1)
    noisy = level.sqrt() * latents + (1.0 - level).sqrt() * noise
    return noisy, noise, times, weights(alphas)[times]


class Denoiser(torch.nn.Module):
    """UNet and text encoder as one module: the loss of a batch."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.unet: Any = architecture.unet(config)
        self.text: Any = architecture.text_encoder(config)

    def groups(self) -> list[dict[str, Any]]:
        """Parameters as the optimizer takes them."""
        return [
            {"params": list(self.unet.parameters())},
            {"params": list(self.text.parameters()), "scale": TEXT_RATE},
        ]

    def forward(self, latents: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """Weighted error of epsilon at random timesteps; latents `[n, 4, 16, 16]`."""
        context = self.text(tokens).last_hidden_state.repeat_interleave(VIEWS, dim=0)
        noisy, noise, times, weight = noised(latents.repeat_interleave(VIEWS, dim=0))
        made = self.unet(noisy, times, context).sample
        return weighted(made, noise, weight)


def weighted(made: torch.Tensor, noise: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The mean over rows of the squared error, each row by its weight."""
    errors = (made.float() - noise).square().mean((1, 2, 3))
    return torch.mean(weights * errors)


def stratified(count: int, steps_of_noise: int, machine: torch.device) -> torch.Tensor:
    """Timesteps `[count]` spread evenly, each in a random place of its stratum, in random order."""
    places = (torch.arange(count, device=machine) + torch.rand(count, device=machine)) / count
    return (places * steps_of_noise).long()[torch.randperm(count, device=machine)]


def train(config: Config, state: Path, stop: Stop) -> bool:
    """Train or resume; leaves `denoiser.pt` under `state`."""
    settings = config.denoiser
    machine = device.pick()
    samples = Samples(config, state)
    torch.manual_seed(config.seed)
    denoiser = Denoiser(config)
    checkpoint.load_weights(denoiser.text, text.taught(state), state / "text.pt")
    trainee = Trainee(denoiser, state / "denoiser.pt", DECAY, denoiser.groups())

    def loss_of(step: int) -> torch.Tensor:
        which = "first" if step < settings.first_steps else "all"
        draw = samples.draw(step, settings.batch // VIEWS, which)
        torch.manual_seed(config.seed + step)
        with device.autocast(machine):
            loss: torch.Tensor = trainee.module(draw.latents.to(machine), draw.tokens.to(machine))
        return loss

    def rate_of(step: int) -> float:
        return device.trapezoid(settings.learning_rate, step, settings.steps)

    return progress.train("denoiser", trainee, settings.steps, state, stop, loss_of, rate_of)


if __name__ == "__main__":
    run_stage("denoiser", __doc__, train)
