"""The engine on CUDA: streams, pinned copies, events, and the promise of equality."""

import numpy as np
import pytest
import torch

from shared.catalog import ModelDefaults, ModelEntry
from tests.tiny_model import build_tiny_sd
from tests.tiny_request import tiny_request
from worker.engine.batcher import Batcher
from worker.engine.engine import Engine
from worker.engine.rows import ROW_BUCKETS
from worker.engine.sample import Kind
from worker.models.device import DeviceSettings, Precision
from worker.models.load import load_model

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")

PATIENCE = 100  # seconds
REQUESTS = [
    tiny_request(sampler=sampler, guidance_scale=guidance, seed=seed, steps=10 + seed)
    for seed, (sampler, guidance) in enumerate(
        [("euler", 7.5), ("euler_a", 4.0), ("dpmpp_2m", 1.0), ("unipc", 7.5), ("ddim", 4.0)]
    )
]


@pytest.fixture(scope="module")
def entry(tmp_path_factory):
    path = build_tiny_sd(tmp_path_factory.mktemp("tiny"))
    defaults = ModelDefaults(width=64, height=64, steps=4)
    return ModelEntry(id="tiny", family="sd", path=path, defaults=defaults)


def generate(entry, settings, requests):
    """(latents, pictures) of the jobs, run together after a warm-up, as if alone on a machine."""
    model = load_model(entry, settings)
    batcher = Batcher(lambda _: model.stepper.max_rows)
    steppers = {"tiny": model.stepper}
    engine = Engine(batcher, steppers, lambda report: None, torch.inference_mode)
    engine.start()
    model.warm_up(engine)
    model.stepper.max_rows = ROW_BUCKETS[-1]
    samples = [
        model.prepare(f"job_{number}", request, number, Kind.ORDINARY)[0][0]
        for number, request in enumerate(requests)
    ]
    engine.submit(samples)
    latents = [sample.finished.result(PATIENCE) for sample in samples]
    pictures = [model.decode(latent) for latent in latents]
    engine.stop()
    model.close()
    return [latent.cpu() for latent in latents], pictures


def test_a_job_is_the_same_together_and_alone(entry):
    cuda = DeviceSettings(device="cuda", precision=Precision.FP32)
    together, pictures = generate(entry, cuda, REQUESTS)

    for request, latent, picture in zip(REQUESTS, together, pictures, strict=True):
        (alone,), (picture_alone,) = generate(entry, cuda, [request])
        assert (latent - alone).abs().max() <= 1e-3 * alone.abs().max()
        assert np.abs(picture.astype(int) - picture_alone).max() <= 2


def test_half_precision_gives_nearly_the_picture_of_a_cpu(entry):
    _, on_cuda = generate(entry, DeviceSettings(device="cuda"), REQUESTS)
    _, on_cpu = generate(entry, DeviceSettings(device="cpu"), REQUESTS)

    for found, expected in zip(on_cuda, on_cpu, strict=True):
        assert np.abs(found.astype(int) - expected).mean() <= 4
