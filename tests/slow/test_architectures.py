"""Stable Diffusion 1.5, 2.1 and XL at their full size: from a folder and from one file.

`pytest -m slow -s`; the weights are random. Needs 7 GB of disk for each layout of SDXL, and 16 GB
of memory.
"""

import json
import shutil
import time
from types import SimpleNamespace

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from shared.catalog import Family, ModelEntry
from tests.ldm_checkpoint import write_checkpoint
from tests.tiny_request import tiny_request
from worker.engine.batcher import Batcher
from worker.engine.engine import Engine
from worker.engine.sample import Kind
from worker.models.checkpoint import ARCHITECTURES
from worker.models.device import DeviceSettings, Precision
from worker.models.load import load_model

KINDS = {
    "unet": UNet2DConditionModel,
    "vae": AutoencoderKL,
    "text_encoder": CLIPTextModel,
    "text_encoder_2": CLIPTextModelWithProjection,
}
CASES = {
    "sd1": (Family.SD, Precision.FP32),
    "sd2": (Family.SD, Precision.BF16),
    "sdxl": (Family.SDXL, Precision.BF16),  # 14 GB in fp32
}
DTYPES = {Precision.FP32: torch.float32, Precision.BF16: torch.bfloat16}
SIDE = 256
STEPS = 2


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("architecture", CASES)
def test_one_picture_from_a_folder_and_the_same_from_a_file(architecture, tmp_path):
    family, precision = CASES[architecture]
    folder, file = tmp_path / architecture, tmp_path / f"{architecture}.safetensors"
    write_random_weights(architecture, DTYPES[precision], folder, file)
    device = DeviceSettings(device="cpu", precision=precision)
    pictures = [picture(ModelEntry(id="full", family=family, path=folder), device)]
    shutil.rmtree(folder)
    pictures.append(picture(ModelEntry(id="full", family=family, path=file), device))
    file.unlink()

    assert pictures[0].shape == (SIDE, SIDE, 3)
    assert pictures[0].std() > 0
    assert (pictures[0] == pictures[1]).all()


def picture(entry, device):
    """The pixels of one picture, with the times it took."""
    began = time.perf_counter()
    model = load_model(entry, device)
    loaded = time.perf_counter()
    engine = Engine(Batcher(lambda _: 4), {entry.id: model.stepper}, lambda tick: None)
    engine.start()
    request = tiny_request(model=entry.id, width=SIDE, height=SIDE, steps=STEPS)
    (sample,), _ = model.prepare("job", request, 0, Kind.ORDINARY)
    engine.submit([sample])
    pixels = model.decode(sample.finished.result())
    made = time.perf_counter()
    engine.stop()
    model.close()
    print(
        f"{entry.family} from {entry.path.name}: {model.weight_bytes / 1e9:.2f} GB loaded in"
        f" {loaded - began:.1f} s, {STEPS} steps at {SIDE} x {SIDE} in {made - loaded:.1f} s"
    )
    return pixels


def write_random_weights(architecture, dtype, folder, file):
    """The same random model in both layouts."""
    shutil.copytree(ARCHITECTURES / architecture, folder)
    modules = {}
    for part, kind in KINDS.items():
        if not (folder / part).is_dir():
            continue
        modules[part] = random_module(kind, folder / part / "config.json", dtype)
        name = "model" if part.startswith("text") else "diffusion_pytorch_model"
        save_file(modules[part].state_dict(), folder / part / f"{name}.safetensors")
    write_checkpoint(file, SimpleNamespace(**modules))


def random_module(kind, config, dtype):
    """Small weights; norms as they begin."""
    content = json.loads(config.read_text())
    with torch.device("meta"):
        from_config = getattr(kind, "from_config", None)
        module = from_config(content) if from_config else kind(kind.config_class(**content))
    module = module.to(dtype).to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        if parameter.ndim > 1:
            parameter.data.uniform_(-0.05, 0.05, generator=generator)
        else:
            parameter.data.fill_(1.0)
    return module
