"""Hub repositories at a pinned commit, as the hub's own cache on this machine has them."""

import shutil

import pytest
from huggingface_hub import constants

from shared.catalog import ModelEntry, Source
from shared.errors import ConfigurationError
from worker.models.files import locate_model, locate_weights
from worker.models.hub import choose_files

REVISION = "0123456789abcdef0123456789abcdef01234567"
NAMES = [
    "README.md",
    "model_index.json",
    "v1-5-pruned.ckpt",
    "unet/config.json",
    "unet/diffusion_pytorch_model.bin",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "unet/diffusion_pytorch_model.safetensors",
    "text_encoder/config.json",
    "text_encoder/model.fp16.safetensors",
    "tokenizer/merges.txt",
    "tokenizer/vocab.json",
    "safety_checker/model.safetensors",
]


@pytest.fixture
def snapshot(monkeypatch, tmp_path):
    """Where the cache would have the commit's files; the hub itself is out of reach."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "models--acme--tiny" / "snapshots" / REVISION


def entry():
    return ModelEntry(id="tiny", family="sd", repository="acme/tiny", revision=REVISION)


def test_only_what_is_loaded_is_fetched():
    chosen = choose_files(NAMES, ["unet", "text_encoder", "tokenizer"])

    assert chosen == [
        "model_index.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "text_encoder/config.json",
        "text_encoder/model.fp16.safetensors",
        "tokenizer/merges.txt",
        "tokenizer/vocab.json",
    ]


def test_a_fetched_model_needs_no_network(snapshot, tiny_path):
    shutil.copytree(tiny_path, snapshot)

    assert locate_model(entry()) == snapshot


def test_a_half_fetched_model_is_fetched_again(snapshot, tiny_path):
    shutil.copytree(tiny_path, snapshot)
    shutil.rmtree(snapshot / "vae")

    with pytest.raises(ConfigurationError, match="model tiny: acme/tiny cannot be fetched"):
        locate_model(entry())


def test_one_file_of_a_repository(snapshot, tiny_path):
    snapshot.mkdir(parents=True)
    shutil.copy(
        tiny_path / "vae" / "diffusion_pytorch_model.safetensors", snapshot / "vae.safetensors"
    )
    source = Source(repository="acme/tiny", revision=REVISION, file="vae.safetensors")

    assert locate_weights(source) == snapshot / "vae.safetensors"
