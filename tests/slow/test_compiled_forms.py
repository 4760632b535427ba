"""Compiled forms of a whole model, through the engine: minutes of a compiler's work."""

from contextlib import nullcontext

import pytest
import torch

from shared.catalog import ModelDefaults, ModelEntry
from tests.comparison import generate, relative, stepping
from tests.tiny_model import build_tiny_sd
from tests.tiny_request import tiny_request
from worker.models.building import FormPlan
from worker.models.device import DeviceSettings
from worker.models.image import Decoding
from worker.models.load import load_model

REQUESTS = [tiny_request(guidance_scale=1.0, steps=5 + seed, seed=seed) for seed in range(2)]


# The compiler's own parts warn of one another.
pytestmark = [pytest.mark.timeout(1200), pytest.mark.filterwarnings("ignore")]


def test_they_are_close_and_the_same_in_any_place(tmp_path):
    defaults = ModelDefaults(width=64, height=64, steps=4)
    entry = ModelEntry(id="tiny", family="sd", path=build_tiny_sd(tmp_path), defaults=defaults)
    model = load_model(entry, DeviceSettings(device="cpu"))
    told = []
    with stepping(model) as engine:
        expected = generate(model, engine, REQUESTS)
        model.readiness.build_forms(
            engine,
            FormPlan(compiled=True, graphs=True, rows=(2,)),
            nullcontext,
            lambda *form: told.append(form),
            lambda: False,
        )
        assert dict(told) == {"unet_2": "compiled+graph", "vae": "compiled"}
        found = generate(model, engine, REQUESTS)
        turned = generate(model, engine, REQUESTS[::-1])
    for one, other, exact in zip(found, turned[::-1], expected, strict=True):
        assert torch.equal(one, other)
        assert relative(one, exact) <= 1e-4
    fast = model.decode(expected[0], Decoding.FAST).astype(int)
    assert abs(fast - model.decode(expected[0])).max() <= 1
    model.close()
