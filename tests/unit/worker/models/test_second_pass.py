"""The second pass: the first's latent enlarged, noised and denoised again, larger."""

import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline
from torch.nn.functional import interpolate

from shared.request import Hires
from tests.comparison import (
    PATIENCE,
    by_diffusers,
    control,
    generate,
    prepare,
    reference,
    relative,
)
from tests.tiny_request import tiny_request
from worker.inputs import Inputs
from worker.models.pictures import NO_PICTURES

HIRES = Hires(scale=1.5, strength=0.5, steps=8)


def run_both(model, engine, request, pictures=None):
    """The samples of both passes, finished."""
    (first,) = prepare(model, request, pictures or {})
    engine.submit([first])
    first.finished.result(PATIENCE)
    second = model.prepare_second(
        first, request, Inputs(request, pictures or {}).fitted(*request.size)
    )
    engine.submit([second])
    second.finished.result(PATIENCE)
    return first, second


def test_it_is_diffusers_image_to_image(model, engine, tiny_path, differences):
    pipeline = StableDiffusionImg2ImgPipeline.from_pretrained(tiny_path, safety_checker=None)
    request = tiny_request(hires=HIRES, seed=4)

    first, second = run_both(model, engine, request)
    (alone,) = generate(model, engine, [request.model_copy(update={"hires": None})])
    enlarged = interpolate(alone[None], (12, 12), mode="bilinear", antialias=True)
    again = request.model_copy(update={"steps": HIRES.steps})
    expected = by_diffusers(pipeline, again, image=enlarged, strength=HIRES.strength)

    assert torch.equal(first.finished.result(), alone)
    latent = second.finished.result()
    assert differences("second pass", relative(latent, expected)) <= 1e-3
    assert model.decode(latent).shape == (96, 96, 3)


def test_each_pass_knows_its_ticks(model, engine):
    first, second = run_both(model, engine, tiny_request(hires=HIRES, steps=5))

    assert (first.ticks, first.later_ticks) == (5, 4)
    assert (second.ticks, second.later_ticks) == (4, 0)
    assert (second.job_id, second.index) == (first.job_id, first.index)


def test_mask_and_controls_follow_the_size(model, engine, picture, mask):
    pictures = {"in": picture, "mask": mask, "canny": picture}
    request = tiny_request(
        image=reference(picture, "in"),
        mask=reference(mask, "mask"),
        controls=(control("canny", picture),),
        hires=HIRES,
    )

    _, second = run_both(model, engine, request, pictures)

    assert second.state.original.mask.shape == (1, 12, 12)
    assert second.state.controls[0].pixels.shape == (3, 96, 96)


def test_what_ended_the_first_ends_the_second(model):
    (first,) = prepare(model, tiny_request(hires=HIRES), {})
    first.fail(RuntimeError("ended"))

    with pytest.raises(RuntimeError, match="ended"):
        model.prepare_second(first, tiny_request(hires=HIRES), NO_PICTURES)
