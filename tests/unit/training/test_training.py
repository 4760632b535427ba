"""Every stage at toy size, from data to a folder that diffusers loads."""

import hashlib
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from diffusers import (
    ControlNetModel,
    StableDiffusionControlNetPipeline,
    StableDiffusionPipeline,
)

from training import config as configuration
from training import controlnet, export, lora, vae
from training.command import run
from training.errors import TrainingError
from training.progress import Stop


def generate(pipeline, **options) -> torch.Tensor:
    pipeline.set_progress_bar_config(disable=True)
    return torch.from_numpy(
        pipeline(
            "1 girl",
            num_inference_steps=2,
            generator=torch.Generator().manual_seed(0),
            output_type="np",
            **options,
        ).images
    )


def test_diffusers_loads_the_folder_unchanged(model):
    pipeline = StableDiffusionPipeline.from_pretrained(model)
    assert {part.dtype for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder)} == {
        torch.float32
    }
    assert generate(pipeline).shape == (1, 64, 64, 3)


def test_latents_have_unit_variance_after_scaling(model, state):
    factor = StableDiffusionPipeline.from_pretrained(model).vae.config.scaling_factor
    latents = torch.load(state / "latents.pt", weights_only=True)["latents"]
    assert (latents * factor).std().item() == pytest.approx(1.0, rel=1e-3)


def test_the_sums_cover_every_file_that_is_loaded(model):
    lines = (model / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    files = {p.relative_to(model).as_posix() for p in model.rglob("*") if p.is_file()}
    assert set(sums) == files - {"SHA256SUMS"}
    for name, digest in sums.items():
        assert hashlib.sha256((model / name).read_bytes()).hexdigest() == digest


def test_a_model_card_stays_when_weights_are_replaced(config, state, model):
    (model / "README.md").write_text("card")
    export.write(export.pipeline(export.trained(config, state)), model)
    assert (model / "README.md").read_text() == "card"


def test_the_controlnet_loads_beside_the_model(config, state, model):
    assert controlnet.train(config, state, Stop())
    controlnet.write(config, state, state / "canny")
    pipeline = StableDiffusionControlNetPipeline.from_pretrained(
        model, controlnet=ControlNetModel.from_pretrained(state / "canny")
    )
    assert generate(pipeline, image=torch.zeros(1, 3, 64, 64)).shape == (1, 64, 64, 3)


def test_the_lora_loads_and_at_scale_zero_changes_nothing(config, state, model):
    assert lora.train(config, state, Stop())
    path = state / "lineart.safetensors"
    lora.write(config, state, path)
    pipeline = StableDiffusionPipeline.from_pretrained(model)
    plain = generate(pipeline)
    pipeline.load_lora_weights(state, weight_name=path.name)
    pipeline.set_adapters(pipeline.get_active_adapters(), 0.0)
    assert torch.equal(generate(pipeline), plain)


def test_an_export_without_weights_touches_nothing(config, tmp_path: Path):
    with pytest.raises(TrainingError, match="no trained model"):
        export.trained(config, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_command_says_what_is_wrong_in_one_line(tmp_path: Path, capsys):
    arguments = Namespace(config=configuration.DEFAULT, profile="cpu", state=tmp_path)
    with pytest.raises(SystemExit) as caught:
        run(lambda config, state: bool(vae.train(config, state, Stop())), arguments)
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("error: no data under")
    assert told.count("\n") == 1
