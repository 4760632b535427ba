"""SDXL under a ControlNet, and repainted where a mask says: as diffusers' pipelines do it."""

import pytest
from diffusers import (
    ControlNetModel,
    StableDiffusionXLControlNetPipeline,
    StableDiffusionXLInpaintPipeline,
    StableDiffusionXLPipeline,
)

from shared.catalog import ControlEntry, ModelDefaults, ModelEntry
from tests.comparison import by_diffusers, control, generate, reference, relative, stepping
from tests.tiny_request import tiny_request
from tests.tiny_sdxl import build_tiny_sdxl, build_tiny_sdxl_control
from worker.models.device import DeviceSettings
from worker.models.load import load_model

NEGATIVE = {"negative_prompt": "dark"}


@pytest.fixture(scope="module")
def control_path(tmp_path_factory):
    return build_tiny_sdxl_control(tmp_path_factory.mktemp("sdxl-control"))


@pytest.fixture(scope="module")
def sdxl_path(tmp_path_factory):
    return build_tiny_sdxl(tmp_path_factory.mktemp("sdxl"))


@pytest.fixture(scope="module")
def sdxl(sdxl_path, control_path):
    entry = ModelEntry(
        id="tiny",
        family="sdxl",
        path=sdxl_path,
        defaults=ModelDefaults(width=64, height=64, steps=4),
        controls=(ControlEntry(type="canny", path=control_path),),
    )
    model = load_model(entry, DeviceSettings(device="cpu"))
    yield model
    model.close()


@pytest.fixture
def sdxl_engine(sdxl):
    with stepping(sdxl) as engine:
        yield engine


@pytest.fixture(scope="module")
def components(sdxl_path):
    return StableDiffusionXLPipeline.from_pretrained(sdxl_path, add_watermarker=False).components


@pytest.mark.parametrize("guidance_scale", [1.0, 7.5])
def test_a_control_net(
    sdxl, sdxl_engine, components, control_path, picture, differences, guidance_scale
):
    canny = control("canny", picture, scale=0.8, end=0.6)
    request = tiny_request(guidance_scale=guidance_scale, controls=(canny,), **NEGATIVE)
    pipeline = StableDiffusionXLControlNetPipeline(
        **components,
        controlnet=ControlNetModel.from_pretrained(control_path),
        add_watermarker=False,
    )

    (latent,) = generate(sdxl, sdxl_engine, [request], {"canny": picture})
    expected = by_diffusers(
        pipeline,
        request,
        image=picture,
        controlnet_conditioning_scale=0.8,
        control_guidance_end=0.6,
    )
    (without,) = generate(sdxl, sdxl_engine, [request.model_copy(update={"controls": ()})])

    assert differences("SDXL ControlNet", relative(latent, expected)) <= 1e-3
    assert relative(without, expected) > 0.05


@pytest.mark.parametrize("strength", [0.6, 1.0])
def test_inpainting(sdxl, sdxl_engine, components, picture, mask, differences, strength):
    request = tiny_request(
        image=reference(picture, "in"), mask=reference(mask, "mask"), strength=strength, **NEGATIVE
    )
    pipeline = StableDiffusionXLInpaintPipeline(**components, add_watermarker=False)

    (latent,) = generate(sdxl, sdxl_engine, [request], {"in": picture, "mask": mask})
    expected = by_diffusers(pipeline, request, image=picture, mask_image=mask, strength=strength)

    assert differences("SDXL inpainting", relative(latent, expected)) <= 1e-3


@pytest.mark.parametrize("strength", [0.6, 1.0])
def test_inpainting_by_a_model_that_sees_the_mask(tmp_path, picture, mask, differences, strength):
    path = build_tiny_sdxl(tmp_path, channels=9)
    request = tiny_request(
        image=reference(picture, "in"), mask=reference(mask, "mask"), strength=strength, **NEGATIVE
    )
    pipeline = StableDiffusionXLInpaintPipeline.from_pretrained(path, add_watermarker=False)

    entry = ModelEntry(id="tiny", family="sdxl", path=path)
    model = load_model(entry, DeviceSettings(device="cpu"))
    with stepping(model) as engine:
        (latent,) = generate(model, engine, [request], {"in": picture, "mask": mask})
    model.close()
    expected = by_diffusers(pipeline, request, image=picture, mask_image=mask, strength=strength)

    assert differences("SDXL inpainting, 9 channels", relative(latent, expected)) <= 1e-3
