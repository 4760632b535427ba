"""Training state out of a model folder, where the state of its training is gone.

The weights are there, the optimizers' memory is not. The text encoder first learns the names of
all pictures, then `python -m training.train` goes on after the first concepts.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diffusers import StableDiffusionPipeline

from training import checkpoint, data, text, vae
from training.architecture import autoencoder
from training.command import add_common, run
from training.config import Config
from training.denoiser import Denoiser
from training.device import pick
from training.progress import Stop
from training.samples import Samples
from training.trainee import Trainee


def revive(config: Config, state: Path, folder: Path) -> None:
    """Write `vae.pt`, `latents.pt`, `text.pt` and `denoiser.pt` under `state`."""
    shutil.rmtree(state / "tokenizer", ignore_errors=True)
    shutil.copytree(folder / "tokenizer", state / "tokenizer")
    made: Any = StableDiffusionPipeline.from_pretrained(folder)
    begin(autoencoder(config), made.vae, state / "vae.pt", config.vae.steps)
    pixels = data.load(state).pixels
    vae.cache(made.vae, pixels, state, pick(), config.denoiser.flips)
    pupil = text.Pupil(config, *text.coarse(Samples(config, state).latents).shape)
    checkpoint.load_weights(pupil.text, made.text_encoder.state_dict(), folder)
    begin(pupil, pupil, state / "text.pt", 0)
    text.train(config, state, Stop())
    denoiser = Denoiser(config)
    checkpoint.load_weights(denoiser.unet, made.unet.state_dict(), folder)
    checkpoint.load_weights(denoiser.text, text.taught(state), state / "text.pt")
    path = state / "denoiser.pt"
    begin(denoiser, denoiser, path, config.denoiser.first_steps, denoiser.groups())


def begin(
    module: Any,
    weights: Any,
    path: Path,
    step: int,
    groups: Sequence[dict[str, Any]] | None = None,
) -> None:
    """A checkpoint of these weights at a step, with an optimizer that remembers nothing."""
    path.unlink(missing_ok=True)
    checkpoint.load_weights(module, weights.state_dict(), path)
    trainee = Trainee(module, path, decay=0.0, groups=groups)
    trainee.step = step
    trainee.save()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.revive", description=__doc__)
    add_common(parser)
    parser.add_argument("--model", type=Path, default=Path("models/emoji"))
    arguments = parser.parse_args()
    run(lambda config, state: revive(config, state, arguments.model), arguments)


if __name__ == "__main__":
    main()
