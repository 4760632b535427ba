"""Image-to-image: the start that diffusers' pipeline would take, shared with any company."""

import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline

from tests.comparison import by_diffusers, generate, prepare, reference, relative
from tests.tiny_request import tiny_request

METHODS = ["dpmpp_2m", "euler", "euler_a", "unipc", "ddim"]


@pytest.fixture(scope="session")
def pipeline(tiny_path):
    return StableDiffusionImg2ImgPipeline.from_pretrained(tiny_path, safety_checker=None)


def from_picture(picture, **fields):
    return tiny_request(image=reference(picture, "in"), **fields)


@pytest.mark.parametrize("strength", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("sampler", METHODS)
def test_it_is_diffusers_picture(model, engine, pipeline, picture, differences, sampler, strength):
    request = from_picture(picture, sampler=sampler, strength=strength, steps=10)

    (latent,) = generate(model, engine, [request], {"in": picture})
    expected = by_diffusers(pipeline, request, image=picture, strength=strength)

    assert differences("image-to-image", relative(latent, expected)) <= 1e-3


def test_a_weak_request_still_makes_one_step(model, picture):
    (sample,) = prepare(model, from_picture(picture, strength=0.01, steps=8), {"in": picture})

    assert sample.ticks == 1


def test_each_image_of_a_job_draws_its_own_start(model, picture):
    request = from_picture(picture, num_images=2, strength=0.5, seed=7)

    _, second = prepare(model, request, {"in": picture})
    alone = request.model_copy(update={"num_images": 1, "seed": 8})
    (expected,) = prepare(model, alone, {"in": picture})

    assert torch.equal(second.state.planes, expected.state.planes)
