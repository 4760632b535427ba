"""Training goes on from a model folder whose training state is gone."""

import shutil
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

from training import checkpoint, denoiser
from training.progress import Stop
from training.revive import revive


def test_a_model_folder_gives_a_state_that_training_goes_on_from(
    config, state, model, tmp_path: Path
):
    for name in ("pictures.npy", "pictures.json"):
        shutil.copy2(state / name, tmp_path)
    revive(config, tmp_path, model)
    revived = checkpoint.load(tmp_path / "denoiser.pt")
    assert revived is not None
    assert revived["step"] == config.denoiser.first_steps
    shipped = StableDiffusionPipeline.from_pretrained(model)
    for name, weight in shipped.unet.state_dict().items():
        assert torch.equal(revived["average"][f"unet.{name}"], weight)
    assert denoiser.train(config, tmp_path, Stop())
