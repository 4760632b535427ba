"""A half-precision model whose activations overflow: once more in fp32, and only then."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from shared.catalog import ModelEntry
from shared.errors import GenerationInvalid
from tests.comparison import stepping
from tests.tiny_model import build_tiny_sd
from tests.tiny_request import tiny_request
from worker.engine.sample import Kind
from worker.models.device import DeviceSettings, Precision
from worker.models.load import load_model
from worker.models.pictures import NO_PICTURES

REQUEST = tiny_request(steps=3, num_images=2)
LARGE = 5e4  # two of it are beyond fp16's 65,504; a norm takes it away before the output


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = build_tiny_sd(tmp_path_factory.mktemp("overflowing"))
    (file,) = (path / "unet").glob("*.safetensors")
    weights = load_file(file)
    for part in ("conv2", "conv_shortcut"):  # their sum is beyond what fp16 can hold
        weights[f"up_blocks.1.resnets.1.{part}.bias"] += LARGE
    weights = {name: one.half().float() for name, one in weights.items()}
    save_file(weights, file)
    return path


def loaded(path, precision):
    entry = ModelEntry.model_validate({"id": "tiny", "family": "sd", "path": path})
    return load_model(entry, DeviceSettings(device="cpu", precision=precision))


@pytest.fixture(scope="module")
def half(path):
    model = loaded(path, Precision.FP16)
    yield model
    model.close()


@pytest.fixture(scope="module")
def full(path):
    model = loaded(path, Precision.FP32)
    yield model
    model.close()


def denoised(model, samples):
    """The results, or what ended them."""
    with stepping(model) as engine:
        engine.submit(samples)
        return [one.finished.exception(60) or one.finished.result() for one in samples]


def test_one_more_try_in_full_precision(half, full):
    samples, _ = half.prepare("job", REQUEST, 0, Kind.ORDINARY)
    before = {name: one.clone() for name, one in half.unet.state_dict().items()}
    assert all(isinstance(found, GenerationInvalid) for found in denoised(half, samples))

    again = half.prepare_again(samples[1], REQUEST, NO_PICTURES)
    (found,) = denoised(half, [again])
    exact, _ = full.prepare("job", REQUEST, 0, Kind.ORDINARY)
    wanted = denoised(full, exact)[1]
    assert torch.isfinite(found).all()
    assert (found - wanted).abs().max() < 0.05 * wanted.abs().max()
    after = half.unet.state_dict()
    assert all(torch.equal(after[name], one) for name, one in before.items())

    assert half.prepare_again(again, REQUEST, NO_PICTURES) is None
    assert full.prepare_again(exact[0], REQUEST, NO_PICTURES) is None
