"""Model directories that are refused, each with its reason in one line."""

import hashlib
import json
import os
import pickle
import shutil

import pytest

from shared.catalog import ModelDefaults, ModelEntry
from shared.errors import ConfigurationError
from worker.models.device import DeviceSettings
from worker.models.files import locate_model
from worker.models.load import load_model


@pytest.fixture
def copy(tiny_path, tmp_path):
    return shutil.copytree(tiny_path, tmp_path / "copy")


def entry_of(path):
    return ModelEntry(id="copy", family="sd", path=path)


def reason(path):
    with pytest.raises(ConfigurationError) as caught:
        locate_model(entry_of(path))
    assert "copy" in caught.value.detail
    assert "\n" not in caught.value.detail
    return caught.value.detail


def write_sums(path):
    lines = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(path)}"
        for file in sorted(path.rglob("*"))
        if file.is_file()
    ]
    (path / "SHA256SUMS").write_text("\n".join(lines) + "\n")


def test_a_whole_directory_is_taken(copy):
    assert locate_model(entry_of(copy)) == copy
    write_sums(copy)
    assert locate_model(entry_of(copy)) == copy


def test_no_directory(tmp_path):
    assert "no such directory" in reason(tmp_path / "copy")


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "tokenizer", "scheduler"])
def test_a_missing_part(copy, part):
    shutil.rmtree(copy / part)

    assert f"`{part}` is missing" in reason(copy)


def test_a_part_without_weights(copy):
    (copy / "unet" / "diffusion_pytorch_model.safetensors").unlink()

    assert "the part `unet`: it has no safetensors" in reason(copy)


@pytest.mark.parametrize("name", ["unet/diffusion_pytorch_model.bin", "extra.ckpt", "vae/x.PT"])
def test_a_pickle(copy, name):
    (copy / name).write_bytes(b"")

    assert name in reason(copy)


class Planted:
    """Makes a folder as soon as somebody unpickles it."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


@pytest.mark.parametrize("suffix", ["bin", "safetensors"])
def test_a_planted_pickle_does_not_run(copy, tmp_path, suffix):
    canary = tmp_path / "canary"
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    weights.unlink()
    weights.with_suffix(f".{suffix}").write_bytes(pickle.dumps(Planted(canary)))

    with pytest.raises(ConfigurationError):
        load_model(entry_of(copy), DeviceSettings(device="cpu"))

    assert not canary.exists()
    pickle.loads(pickle.dumps(Planted(canary)))
    assert canary.exists()


def test_another_pipeline(copy):
    (copy / "model_index.json").write_text(json.dumps({"_class_name": "FluxPipeline"}))

    assert "FluxPipeline" in reason(copy)


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_an_index_that_is_none(copy, text):
    (copy / "model_index.json").write_text(text)

    assert "model_index.json" in reason(copy)


def test_an_altered_file(copy):
    write_sums(copy)
    config = copy / "vae" / "config.json"
    config.write_text(config.read_text() + " ")

    with pytest.raises(ConfigurationError, match="is not what SHA256SUMS says"):
        load_model(entry_of(copy), DeviceSettings(device="cpu"))


def test_a_file_that_sums_know_and_nobody_has(copy):
    write_sums(copy)
    (copy / "tokenizer" / "tokenizer.json").unlink()

    with pytest.raises(ConfigurationError, match="is in SHA256SUMS, but not there"):
        load_model(entry_of(copy), DeviceSettings(device="cpu"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("unet/config.json", b"{"),
        ("unet/diffusion_pytorch_model.safetensors", b"cut short"),
        ("text_encoder/model.safetensors", b"cut short"),
        ("scheduler/scheduler_config.json", b"no json"),
        ("tokenizer/tokenizer.json", b"no json"),
    ],
)
def test_a_broken_file_is_a_clear_error(copy, name, content):
    (copy / name).write_bytes(content)

    with pytest.raises(ConfigurationError, match="model copy in"):
        load_model(entry_of(copy), DeviceSettings(device="cpu"))


def test_a_default_that_no_sampler_has(copy):
    defaults = ModelDefaults(sampler="ddim", schedule="karras")
    entry = ModelEntry(id="copy", family="sd", path=copy, defaults=defaults)

    with pytest.raises(ConfigurationError, match="'ddim' with the schedule 'karras'"):
        load_model(entry, DeviceSettings(device="cpu"))
