"""A sample that goes on from a checkpoint ends where the undisturbed one does, bit for bit."""

import pytest
import torch

from shared.checkpoint import Checkpoint
from shared.request import Hires
from tests.comparison import control, prepare, reference
from tests.tiny_request import tiny_request
from worker.inputs import Inputs

HIRES = Hires(scale=1.5, strength=0.5, steps=8)
REQUESTS = {
    "two steps back": {"sampler": "dpmpp_2m"},
    "noise in every step": {"sampler": "euler_a"},
    "two ticks a step": {"sampler": "heun"},
    "noise and registers": {"sampler": "dpmpp_2m_sde"},
    "no guidance": {"sampler": "euler", "guidance_scale": 1.0},
}


def step(model, sample, ticks):
    """Tick the sample, alone, until it has made so many."""
    while sample.tick < ticks:
        model.stepper.launch([sample]).wait()
        sample.tick += 1


def kept(model, sample, request):
    """The sample's checkpoint, as the server gives it back."""
    snapshot = model.stepper.snapshot(sample)
    checkpoint = Checkpoint(
        fits=model.fits(request),
        second_pass=sample.earlier_ticks > 0,
        tick=snapshot.tick,
        shape=snapshot.shape,
        planes=snapshot.content(),
    )
    return Checkpoint.unpack(checkpoint.pack())


def goes_on(model, request, checkpoint, pictures=None):
    """A new sample of the request, resumed."""
    (sample,) = prepare(model, request, pictures or {})
    finished_size = Inputs(request, pictures or {}).fitted(*request.size)
    return model.resume(sample, request, checkpoint, finished_size)


def assert_resumes_at(model, request, tick, pictures=None):
    (sample,) = prepare(model, request, pictures or {})
    model.stepper.admit(sample)
    step(model, sample, tick)
    resumed = goes_on(model, request, kept(model, sample, request), pictures)
    assert resumed.tick == tick
    model.stepper.admit(resumed)
    step(model, sample, sample.ticks)
    step(model, resumed, sample.ticks)
    assert torch.equal(model.stepper.result(resumed), model.stepper.result(sample))


@pytest.mark.parametrize("fields", REQUESTS.values(), ids=REQUESTS.keys())
@pytest.mark.parametrize("tick", [1, 5, 8])
def test_every_kind_of_sampler(model, fields, tick):
    assert_resumes_at(model, tiny_request(**fields), tick)


def test_pictures_masks_and_controls(model, picture, mask):
    pictures = {"in": picture, "mask": mask, "canny": picture}
    request = tiny_request(
        image=reference(picture, "in"),
        strength=0.8,
        mask=reference(mask, "mask"),
        controls=(control("canny", picture, end=0.7),),
        sampler="euler_a",
    )
    assert_resumes_at(model, request, 3, pictures)


def test_the_second_pass_goes_on_without_the_first(model):
    request = tiny_request(hires=HIRES)
    (first,) = prepare(model, request, {})
    model.stepper.admit(first)
    step(model, first, first.ticks)
    first.deliver(model.stepper.result(first))
    second = model.prepare_second(first, request, Inputs(request, {}).fitted(*request.size))
    model.stepper.admit(second)
    step(model, second, 2)

    resumed = goes_on(model, request, kept(model, second, request))
    assert (resumed.earlier_ticks, resumed.tick, resumed.later_ticks) == (8, 2, 0)
    model.stepper.admit(resumed)
    step(model, second, second.ticks)
    step(model, resumed, second.ticks)
    assert torch.equal(model.stepper.result(resumed), model.stepper.result(second))


def test_a_checkpoint_that_does_not_fit_is_none(model):
    request = tiny_request()
    (sample,) = prepare(model, request, {})
    model.stepper.admit(sample)
    step(model, sample, 2)
    checkpoint = kept(model, sample, request)

    assert goes_on(model, request.model_copy(update={"seed": 2}), checkpoint) is None
    wider = checkpoint.model_copy(update={"shape": (1, 4, 8, 16), "planes": bytes(2048)})
    assert goes_on(model, request, wider) is None
    beyond = checkpoint.model_copy(update={"tick": 9})
    assert goes_on(model, request, beyond) is None
    assert goes_on(model, request, checkpoint).tick == 2


def test_what_is_not_finite_is_not_kept(model):
    (sample,) = prepare(model, tiny_request(), {})
    sample.state.planes[0, 0, 0, 0] = float("nan")
    assert model.stepper.snapshot(sample).content() is None


def test_bytes_of_another_version_are_no_checkpoint(model):
    request = tiny_request()
    (sample,) = prepare(model, request, {})
    packed = kept(model, sample, request).pack()
    assert Checkpoint.unpack(packed[:-1]) is None
    assert Checkpoint.unpack(b'{"fits": "x"}\n' + bytes(16)) is None
    assert Checkpoint.unpack(b"") is None
