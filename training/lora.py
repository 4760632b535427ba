"""Training of a LoRA for one visible style: line art, black outlines on white."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from torch.nn import functional

from training import checkpoint, data, device, export, progress
from training.command import add_common, run
from training.config import Config
from training.denoiser import noised, weighted
from training.progress import Stop
from training.samples import Samples
from training.trainee import Trainee
from training.vae import encoded
from worker.models import canny

RANK = 8
TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"]
LINE_WIDTH = 3  # pixels of 128: thinner lines get lost in the latents
DECAY = 0.99


def line_art(pixels: np.ndarray) -> np.ndarray:
    """Outlines `[n, h, w, 3]` uint8, soft black on white, of pictures of the same shape."""
    outlines = torch.from_numpy(canny.canny(pixels)).float()[:, None]
    thick = functional.max_pool2d(outlines, LINE_WIDTH, 1, LINE_WIDTH // 2)
    grey = 255.0 * (1.0 - canny.smoothed(thick)[:, 0].numpy())
    return np.repeat(grey[..., None].round().astype(np.uint8), 3, axis=-1)


def train(config: Config, state: Path, stop: Stop) -> bool:
    """Train or resume; leaves `lora.pt` under `state`."""
    settings = config.lora
    machine = device.pick()
    samples = Samples(config, state)
    parts = export.trained(config, state)
    styled = encoded(parts["vae"], line_art(np.array(data.load(state).pixels)))
    text = parts["text_encoder"].requires_grad_(False).to(machine)
    torch.manual_seed(config.seed)
    adapted = adapt(parts["unet"])
    trainee = Trainee(adapted, state / "lora.pt", DECAY, [{"params": trainable(adapted)}])

    def loss_of(step: int) -> torch.Tensor:
        draw = samples.draw(step, settings.batch, config.denoiser.taught)
        torch.manual_seed(config.seed + step)
        noisy, noise, times, weights = noised(styled[draw.rows].to(machine))
        with device.autocast(machine):
            context = text(draw.tokens.to(machine)).last_hidden_state
            made = trainee.module(noisy, times, context).sample
        return weighted(made, noise, weights)

    def rate_of(step: int) -> float:
        return device.trapezoid(settings.learning_rate, step, settings.steps)

    return progress.train("lora", trainee, settings.steps, state, stop, loss_of, rate_of)


def adapt(unet: Any) -> Any:
    """The UNet, frozen, with trainable low-rank layers beside its attention's own."""
    unet.requires_grad_(False)
    unet.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, target_modules=TARGETS))
    return unet


def trainable(unet: Any) -> list[torch.nn.Parameter]:
    return [parameter for parameter in unet.parameters() if parameter.requires_grad]


def write(config: Config, state: Path, path: Path) -> None:
    """The low-rank layers alone, in fp16, as diffusers' `load_lora_weights` reads them."""
    source = state / "lora.pt"
    saved = checkpoint.load(source)
    assert saved is not None
    adapted = adapt(export.trained(config, state)["unet"])
    checkpoint.load_weights(adapted, saved["average"], source)
    layers = get_peft_model_state_dict(adapted.half())
    StableDiffusionPipeline.save_lora_weights(path.parent, layers, weight_name=path.name)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.lora", description=__doc__)
    add_common(parser)
    parser.add_argument("--to", type=Path, default=Path("out/emoji-lineart.safetensors"))
    parser.add_argument("--minutes", type=float, help="stop then, to be resumed later")
    arguments = parser.parse_args()

    def work(config: Config, state: Path) -> None:
        if train(config, state, Stop.after(arguments.minutes)):
            write(config, state, arguments.to)
            print(f"wrote {arguments.to}")

    run(work, arguments)


if __name__ == "__main__":
    main()
