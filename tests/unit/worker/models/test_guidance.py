"""Guidance in its other two forms, against diffusers' pipeline: rescaled, and told to the UNet."""

import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg

from shared.catalog import ModelEntry
from tests.comparison import by_diffusers, generate, prepare, relative, stepping
from tests.tiny_model import build_tiny_sd
from tests.tiny_request import tiny_request
from worker.models.device import DeviceSettings
from worker.models.guidance import embed_guidance
from worker.models.load import load_model
from worker.samplers.update import rescale


def pipeline(path):
    return StableDiffusionPipeline.from_pretrained(path, safety_checker=None)


@pytest.mark.parametrize("factor", [0.0, 0.7, 1.0])
def test_rescaling_is_diffusers(factor):
    guided, conditional = torch.randn(2, 4, 9, 7).unbind()
    expected = rescale_noise_cfg(guided[None], conditional[None], factor)[0]
    torch.testing.assert_close(rescale(guided, conditional, factor), expected)


def test_a_rescaled_sample_is_diffusers_and_changes_no_bit_of_its_company(
    model, engine, tiny_path, differences
):
    plain = tiny_request(seed=3)
    rescaled = tiny_request(seed=4, guidance_rescale=0.7)
    unguided = tiny_request(seed=5, guidance_scale=1.0, guidance_rescale=0.7)

    first, second, third = generate(model, engine, [plain, rescaled, unguided])
    without = rescaled.model_copy(update={"guidance_rescale": 0.0})
    beside, other, bare = generate(model, engine, [plain, without, unguided])

    assert torch.equal(first, beside)
    assert torch.equal(third, bare)
    assert not torch.equal(second, other)
    expected = by_diffusers(
        pipeline(tiny_path), rescaled, width=64, height=64, guidance_rescale=0.7
    )
    assert differences("guidance rescale", relative(second, expected)) <= 1e-3


@pytest.fixture(scope="module")
def told_path(tmp_path_factory):
    """A model whose UNet is told the guidance scale."""
    path = build_tiny_sd(tmp_path_factory.mktemp("told"))
    config = UNet2DConditionModel.load_config(path / "unet")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        told = UNet2DConditionModel.from_config(config, time_cond_proj_dim=32)
    told.save_pretrained(path / "unet")
    return path


def test_a_unet_that_is_told_its_guidance_takes_one_row(told_path, differences):
    model = load_model(ModelEntry(id="told", family="sd", path=told_path), DeviceSettings())
    requests = [
        tiny_request(seed=seed, guidance_scale=scale, sampler="lcm", model="told")
        for seed, scale in ((1, 3.0), (2, 8.0))
    ]

    with stepping(model) as engine:
        latents = generate(model, engine, requests)
        rows = [sample.rows for sample in prepare(model, requests[0], {})]
    model.close()

    assert rows == [1]
    for request, latent in zip(requests, latents, strict=True):
        expected = by_diffusers(pipeline(told_path), request, width=64, height=64)
        assert differences("guidance told to the UNet", relative(latent, expected)) <= 1e-3


def test_the_embedding_is_diffusers(tiny_path):
    expected = pipeline(tiny_path).get_guidance_scale_embedding(torch.tensor([6.5]), 32)[0]
    torch.testing.assert_close(embed_guidance(7.5, 32), expected, rtol=1e-4, atol=1e-3)
