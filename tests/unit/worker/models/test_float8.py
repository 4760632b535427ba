"""8-bit layers: close enough or not at all, and a sample's bits are its own."""

import numpy as np
import pytest
import torch

from tests.comparison import generate, stepping
from tests.tiny_request import tiny_request
from worker.models.device import DeviceSettings
from worker.models.float8 import Float8Linear, decibels
from worker.models.load import load_model

REQUEST = tiny_request(guidance_scale=1.0, seed=3)


@pytest.fixture(params=[1.0, 1000.0])
def least(request):
    """Decibels that are reached, and some that are not."""
    return request.param


def test_the_gate_lets_8_bits_in_or_takes_them_back_to_the_bit(tiny_entry, least):
    settings = DeviceSettings(device="cpu", float8=True, float8_decibels=least)
    model = load_model(tiny_entry, settings)
    with stepping(model) as engine:
        exact, fits = generate(model, engine, [REQUEST])[0], model.fits(REQUEST)
        found = model.readiness._try_float8(engine)
        (latent,) = generate(model, engine, [REQUEST])
        # In one bucket of rows the company does not matter.
        beside = [REQUEST.model_copy(update={"seed": seed, "prompt": "else"}) for seed in (8, 9)]
        first = generate(model, engine, [REQUEST, *beside])[0]
        last = generate(model, engine, [*beside[::-1], REQUEST])[2]
    model.close()

    layers = [one for one in model.unet.modules() if isinstance(one, Float8Linear)]
    assert 10 < found < 100
    assert model.readiness.float8 == bool(layers) == (found >= least)
    assert torch.equal(latent, exact) == (not layers)
    assert (model.fits(REQUEST) == fits) == (not layers)
    assert torch.equal(first, last)


def test_decibels():
    grey = np.full((4, 4, 3), 100, np.uint8)
    assert decibels([grey], [grey]) == float("inf")
    assert decibels([grey], [grey + 1]) == pytest.approx(48.13, abs=0.01)
