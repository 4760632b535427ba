"""A model in one file gives the same parts as the same model in a folder."""

import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel

from shared.catalog import Family, ModelEntry, Source
from shared.errors import ConfigurationError
from tests.ldm_checkpoint import vae_weights, write_checkpoint
from tests.tiny_request import tiny_request
from worker.engine.sample import Kind
from worker.models.checkpoint import ARCHITECTURES, Checkpoint, _architecture
from worker.models.device import Device, DeviceSettings
from worker.models.folder import ModelFolder
from worker.models.load import load_model

CPU = Device(torch.device("cpu"), torch.float32)
PARTS = {"unet": UNet2DConditionModel, "vae": AutoencoderKL, "text_encoder": CLIPTextModel}


@pytest.fixture(scope="module")
def pipeline(tiny_path):
    return StableDiffusionPipeline.from_pretrained(tiny_path, safety_checker=None)


@pytest.fixture(scope="module")
def file(pipeline, tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("single") / "tiny.safetensors", pipeline)


@pytest.mark.parametrize("part", PARTS)
def test_every_part_has_the_folders_weights(part, file, tiny_path):
    single = Checkpoint(file, Family.SD, tiny_path).module(part, PARTS[part], CPU)
    whole = ModelFolder(tiny_path).module(part, PARTS[part], CPU)

    theirs = whole.state_dict()
    assert single.state_dict().keys() == theirs.keys()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in single.state_dict().items())


@pytest.mark.parametrize("part", PARTS)
def test_weights_are_what_the_library_loads(part, tiny_path, pipeline):
    ours = ModelFolder(tiny_path).module(part, PARTS[part], CPU)
    theirs = getattr(pipeline, part)

    assert all(torch.equal(t, theirs.state_dict()[name]) for name, t in ours.state_dict().items())
    assert all(torch.equal(t, theirs.get_buffer(name)) for name, t in ours.named_buffers())
    assert not ours.training
    assert not any(parameter.requires_grad for parameter in ours.parameters())


def test_loading_leaves_the_process_default_type(tiny_path):
    half = Device(CPU.place, torch.float16)

    unet = ModelFolder(tiny_path).module("unet", UNet2DConditionModel, half)

    assert unet.dtype == torch.float16
    assert torch.get_default_dtype() == torch.float32


def test_a_checkpoint_is_a_model(file, tiny_path):
    entry = ModelEntry(id="single", family="sd", path=file, config=tiny_path)
    model = load_model(entry, DeviceSettings(device="cpu"))
    model.close()


def test_a_vae_of_its_own_as_a_file_and_as_a_folder(pipeline, tiny_path, tmp_path):
    changed = {name: tensor + 1 for name, tensor in vae_weights(pipeline.vae).items()}
    save_file(changed, tmp_path / "vae.safetensors")
    for path in (tmp_path / "vae.safetensors", tiny_path / "vae"):
        entry = ModelEntry(id="own", family="sd", path=tiny_path, vae=Source(path=path))
        load_model(entry, DeviceSettings(device="cpu")).close()


def test_what_a_file_says_of_itself(file, tiny_path, tmp_path):
    marks = {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}
    save_file({**load_file(file), **marks}, tmp_path / "marked.safetensors")

    plain = Checkpoint(file, Family.SD, tiny_path).scheduler_config
    marked = Checkpoint(tmp_path / "marked.safetensors", Family.SD, tiny_path).scheduler_config

    assert plain["prediction_type"] == "epsilon"
    assert (marked["prediction_type"], marked["rescale_betas_zero_snr"]) == ("v_prediction", True)


@pytest.mark.parametrize(("width", "name"), [(768, "sd1"), (1024, "sd2"), (2048, "sdxl")])
def test_the_architecture_is_read_off_the_shapes(width, name):
    prefix = "model.diffusion_model.input_blocks.4.1"
    weights = {f"{prefix}.transformer_blocks.0.attn2.to_k.weight": torch.empty(640, width)}

    assert _architecture(weights) == name


def test_an_unknown_architecture_wants_a_configuration(file):
    with pytest.raises(ConfigurationError, match=r"widths \[32\]; name a `config` folder"):
        Checkpoint(file, Family.SD, None)


def test_a_file_without_a_model(tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")

    with pytest.raises(ConfigurationError, match="no Stable Diffusion UNet"):
        Checkpoint(tmp_path / "x.safetensors", Family.SD, None)


@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl"])
def test_the_shipped_tokenizers_know_clips_words(name):
    tokenizer = ModelFolder(ARCHITECTURES / name).tokenizer("tokenizer")

    ids = tokenizer("a photo of a CAT").input_ids

    assert ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert tokenizer.pad_token == ("!" if name == "sd2" else "<|endoftext|>")


def test_a_file_that_was_altered(file, tiny_path):
    entry = ModelEntry(id="single", family="sd", path=file, config=tiny_path, sha256="0" * 64)

    with pytest.raises(ConfigurationError, match="is not what its `sha256` says"):
        load_model(entry, DeviceSettings(device="cpu"))


def test_the_entry_says_what_the_model_predicts(tiny_path):
    entries = [
        ModelEntry(id="v", family="sd", path=tiny_path, prediction=prediction)
        for prediction in ("epsilon", "v_prediction")
    ]
    models = [load_model(entry, DeviceSettings(device="cpu")) for entry in entries]
    samples = [model.prepare("job", tiny_request(), 0, Kind.ORDINARY)[0][0] for model in models]
    for model in models:
        model.close()

    assert not torch.equal(samples[0].state.lines, samples[1].state.lines)
