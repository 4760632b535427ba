"""Training of a ControlNet for Canny edges beside the frozen denoiser."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import ControlNetModel

from training import checkpoint, data, device, export, progress
from training.command import add_common, run
from training.config import Config
from training.denoiser import noised, weighted
from training.moves import moved
from training.progress import Stop
from training.samples import Samples
from training.trainee import Trainee
from training.vae import encoded
from worker.models import canny

NO_CAPTION = 0.4  # dropped more often than usual, so that the edges must tell
WRONG_CAPTION = 0.15  # another picture's, so that the shape is the edges' even against the words
MOVES = 6  # copies of each picture: where it stands must not be known from its caption
EMBEDDING_CHANNELS = (16, 32, 64, 64)  # on the way from 128 px to the latent's 16
DECAY = 0.998
FIRST_LOOK = 0.3  # of a layer's usual first weights


def build(unet: Any) -> Any:
    """A ControlNet that starts as the UNet's own encoder and sees the edges from the first step.

    As published its embedding of the edges ends in zeros, like its outputs: 1,200 steps of 8
    pictures were then not enough for any control. The outputs alone keep the start harmless.
    """
    control: Any = ControlNetModel.from_unet(
        unet, conditioning_embedding_out_channels=EMBEDDING_CHANNELS
    )
    last = control.controlnet_cond_embedding.conv_out
    torch.nn.init.normal_(last.weight, std=FIRST_LOOK / last.weight[0].numel() ** 0.5)
    return control


def train(config: Config, state: Path, stop: Stop) -> bool:
    """Train or resume; leaves `controlnet.pt` under `state`."""
    settings = config.controlnet
    machine = device.pick()
    samples = Samples(config, state)
    parts = export.trained(config, state)
    pixels = np.array(data.load(state).pixels)
    taught = samples.taught(config.denoiser.taught)
    places = torch.full([len(pixels)], -1)
    places[taught] = torch.arange(len(taught))
    chance = np.random.default_rng(config.seed)
    copies = np.concatenate([moved(pixels[taught], chance) for _ in range(MOVES)])
    outlines = torch.from_numpy(canny.canny(copies))[:, None]
    latents = encoded(parts["vae"], copies)
    unet: Any = device.placed(parts["unet"].requires_grad_(False), machine)
    text = parts["text_encoder"].requires_grad_(False).to(machine)
    torch.manual_seed(config.seed)
    trainee = Trainee(build(unet), state / "controlnet.pt", DECAY)

    def loss_of(step: int) -> torch.Tensor:
        draw = samples.draw(step, settings.batch, config.denoiser.taught, NO_CAPTION)
        torch.manual_seed(config.seed + step)
        rows = places[draw.rows] + len(taught) * torch.randint(MOVES, draw.rows.shape)
        wrong = torch.rand(len(rows)) < WRONG_CAPTION
        tokens = torch.where(wrong[:, None], draw.tokens.roll(1, 0), draw.tokens)
        shown = outlines[rows].expand(-1, 3, -1, -1).float().to(machine)
        noisy, noise, times, weights = noised(latents[rows].to(machine))
        with device.autocast(machine):
            context = text(tokens.to(machine)).last_hidden_state
            down, middle = trainee.module(noisy, times, context, shown, return_dict=False)
            made = unet(
                noisy,
                times,
                context,
                down_block_additional_residuals=down,
                mid_block_additional_residual=middle,
            ).sample
        return weighted(made, noise, weights)

    def rate_of(step: int) -> float:
        return device.trapezoid(settings.learning_rate, step, settings.steps)

    return progress.train("controlnet", trainee, settings.steps, state, stop, loss_of, rate_of)


def write(config: Config, state: Path, folder: Path) -> None:
    """The trained ControlNet as a diffusers folder with hashes."""
    path = state / "controlnet.pt"
    saved = checkpoint.load(path)
    assert saved is not None
    control = build(export.trained(config, state)["unet"])
    checkpoint.load_weights(control, saved["average"], path)
    export.replace(folder, lambda aside: control.half().save_pretrained(aside))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.controlnet", description=__doc__)
    add_common(parser)
    parser.add_argument("--to", type=Path, default=Path("out/emoji-canny"))
    parser.add_argument("--minutes", type=float, help="stop then, to be resumed later")
    arguments = parser.parse_args()

    def work(config: Config, state: Path) -> None:
        if train(config, state, Stop.after(arguments.minutes)):
            write(config, state, arguments.to)
            print(f"wrote {arguments.to}")

    run(work, arguments)


if __name__ == "__main__":
    main()
