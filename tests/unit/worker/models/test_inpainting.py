"""Inpainting: diffusers' two ways, by UNets with and without inputs for the mask."""

import numpy as np
import pytest
from diffusers import StableDiffusionInpaintPipeline
from PIL import Image

from shared.catalog import ModelEntry
from tests.comparison import by_diffusers, generate, reference, relative, stepping
from tests.tiny_model import build_tiny_sd
from tests.tiny_request import tiny_request
from worker.inputs import Inputs
from worker.models.device import DeviceSettings
from worker.models.load import load_model

METHODS = ["dpmpp_2m", "euler", "euler_a", "unipc", "ddim"]
WHITE = Image.new("L", (64, 64), 255)
GREY = Image.fromarray(np.full((64, 64, 3), 127, np.uint8))


@pytest.fixture(scope="session")
def pipeline(tiny_path):
    return StableDiffusionInpaintPipeline.from_pretrained(tiny_path, safety_checker=None)


@pytest.fixture(scope="session")
def mask_model_path(tmp_path_factory):
    return build_tiny_sd(tmp_path_factory.mktemp("tiny-inpainting"), channels=9)


@pytest.fixture(scope="session")
def mask_model(mask_model_path):
    """A model whose UNet has inputs for mask and masked picture."""
    entry = ModelEntry(id="tiny", family="sd", path=mask_model_path)
    model = load_model(entry, DeviceSettings(device="cpu"))
    yield model
    model.close()


@pytest.fixture(scope="session")
def mask_pipeline(mask_model_path):
    return StableDiffusionInpaintPipeline.from_pretrained(mask_model_path, safety_checker=None)


def repaint(picture, mask, **fields):
    return tiny_request(image=reference(picture, "in"), mask=reference(mask, "mask"), **fields)


@pytest.mark.parametrize("sampler", METHODS)
@pytest.mark.parametrize("strength", [0.6, 1.0])
def test_an_ordinary_model_keeps_the_rest_as_diffusers_does(
    model, engine, pipeline, picture, mask, differences, sampler, strength
):
    request = repaint(picture, mask, sampler=sampler, strength=strength)

    (latent,) = generate(model, engine, [request], {"in": picture, "mask": mask})
    expected = by_diffusers(pipeline, request, image=picture, mask_image=mask, strength=strength)

    assert differences("inpainting, 4 channels", relative(latent, expected)) <= 1e-3


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "euler_a"])
@pytest.mark.parametrize("strength", [0.6, 1.0])
def test_a_model_that_sees_the_mask_is_shown_it(
    mask_model, mask_pipeline, picture, mask, differences, sampler, strength
):
    request = repaint(picture, mask, sampler=sampler, strength=strength)

    with stepping(mask_model) as engine:
        (latent,) = generate(mask_model, engine, [request], {"in": picture, "mask": mask})
    expected = by_diffusers(
        mask_pipeline, request, image=picture, mask_image=mask, strength=strength
    )

    assert differences("inpainting, 9 channels", relative(latent, expected)) <= 1e-3


def test_such_a_model_repaints_everything_without_a_mask(mask_model, mask_pipeline, picture):
    from_words = tiny_request()
    from_picture = tiny_request(image=reference(picture, "in"), strength=0.5)

    with stepping(mask_model) as engine:
        latents = generate(mask_model, engine, [from_words, from_picture], {"in": picture})
    expected = [
        by_diffusers(mask_pipeline, from_words, image=GREY, mask_image=WHITE, strength=1.0),
        by_diffusers(mask_pipeline, from_picture, image=picture, mask_image=WHITE, strength=0.5),
    ]

    assert relative(latents[0], expected[0]) <= 1e-3
    assert relative(latents[1], expected[1]) <= 1e-3


def test_what_is_not_repainted_comes_back_bit_for_bit(model, engine, picture, mask):
    request = repaint(picture, mask)
    fitted = Inputs(request, {"in": picture, "mask": mask}).fitted(64, 64)

    (latent,) = generate(model, engine, [request], {"in": picture, "mask": mask})
    made = fitted.composite(model.decode(latent))

    repainted = np.asarray(mask) > 0
    assert np.array_equal(made[~repainted], np.asarray(picture)[~repainted])
    assert (made[repainted] != np.asarray(picture)[repainted]).any(1).mean() > 0.9
