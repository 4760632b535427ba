"""Which of a part's files are loaded: whole, in shards, in half precision."""

import json
import shutil

import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel

from shared.errors import ConfigurationError
from worker.models.device import Device
from worker.models.folder import ModelFolder, choose_weights

CPU = Device(torch.device("cpu"), torch.float32)

WHOLE = "diffusion_pytorch_model.safetensors"
HALF = "diffusion_pytorch_model.fp16.safetensors"
SHARDS = [f"diffusion_pytorch_model-0000{i}-of-00002.safetensors" for i in (1, 2)]
HALF_SHARDS = [f"diffusion_pytorch_model.fp16-0000{i}-of-00002.safetensors" for i in (1, 2)]


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        ([WHOLE, "config.json"], [WHOLE]),
        ([HALF, WHOLE], [WHOLE]),
        ([HALF, "config.json"], [HALF]),
        ([*SHARDS[::-1], "diffusion_pytorch_model.safetensors.index.json"], SHARDS),
        ([*SHARDS, *HALF_SHARDS], SHARDS),
        (HALF_SHARDS, HALF_SHARDS),
        (["diffusion_pytorch_model.non_ema.safetensors", WHOLE], [WHOLE]),
    ],
)
def test_one_copy_of_the_weights_is_chosen(names, chosen):
    assert choose_weights(names) == chosen


@pytest.mark.parametrize(
    ("names", "reason"),
    [(["config.json", "x.bin"], "no safetensors"), (SHARDS[:1], "1 of 2 shards")],
)
def test_what_is_not_whole_is_refused(names, reason):
    with pytest.raises(ConfigurationError, match=reason):
        choose_weights(names)


def same_weights(module, other):
    theirs = other.state_dict()
    return all(torch.equal(tensor, theirs[name]) for name, tensor in module.state_dict().items())


def test_shards_that_the_library_wrote(tiny_path, tmp_path):
    whole = UNet2DConditionModel.from_pretrained(tiny_path / "unet")
    whole.save_pretrained(tmp_path / "unet", max_shard_size="200KB")
    assert len(list((tmp_path / "unet").glob("*-of-*.safetensors"))) > 1

    assert same_weights(ModelFolder(tmp_path).module("unet", UNet2DConditionModel, CPU), whole)


def test_half_precision_files_that_the_library_wrote(tiny_path, tmp_path):
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_path, dtype=torch.float16)
    pipeline.save_pretrained(tmp_path / "half", variant="fp16")
    assert not list((tmp_path / "half").rglob(WHOLE))

    unet = ModelFolder(tmp_path / "half").module("unet", UNet2DConditionModel, CPU)

    assert unet.dtype == torch.float32
    assert same_weights(unet, pipeline.unet.float())


def test_attention_under_the_names_of_2022(tiny_path, tmp_path):
    from diffusers import AutoencoderKL
    from safetensors.torch import load_file, save_file

    shutil.copytree(tiny_path / "vae", tmp_path / "vae")
    file = tmp_path / "vae" / WHOLE
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    weights = load_file(file)
    for new, name in old.items():
        weights = {key.replace(new, name): tensor for key, tensor in weights.items()}
    save_file(weights, file)

    vae = ModelFolder(tmp_path).module("vae", AutoencoderKL, CPU)

    assert same_weights(vae, AutoencoderKL.from_pretrained(tiny_path / "vae"))


def test_a_weight_that_is_missing_or_has_another_shape(tiny_path, tmp_path):
    shutil.copytree(tiny_path / "unet", tmp_path / "unet")
    config = tmp_path / "unet" / "config.json"
    content = json.loads(config.read_text())

    config.write_text(json.dumps({**content, "in_channels": 9}))
    with pytest.raises(ConfigurationError, match="has the shape"):
        ModelFolder(tmp_path).module("unet", UNet2DConditionModel, CPU)
    config.write_text(json.dumps({**content, "layers_per_block": 2}))
    with pytest.raises(ConfigurationError, match="weights are missing, the first is"):
        ModelFolder(tmp_path).module("unet", UNet2DConditionModel, CPU)
