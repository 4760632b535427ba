"""The tap: it shows what a tick foresees, and changes nothing of the step."""

import pytest
import torch

from shared.request import Hires
from tests.comparison import PATIENCE, generate
from tests.tiny_request import tiny_request
from worker.engine.sample import Kind
from worker.models.pictures import NO_PICTURES
from worker.models.viewer import Viewer


@pytest.fixture(scope="session")
def viewed_model(model):
    assert 0 < model.fit_previews() < 1
    return model


def prepare_viewed(model, request, job_id="viewed"):
    offered = []
    viewer = Viewer(request, offered.append)
    samples, _ = model.prepare(job_id, request, 1, Kind.ORDINARY, viewer=viewer)
    return samples, viewer, offered


def test_neither_the_viewed_nor_their_company_change(viewed_model, engine):
    plain, other = tiny_request(seed=1), tiny_request(seed=2, sampler="euler_a")
    before = generate(viewed_model, engine, [plain, other])

    viewed, viewer, offered = prepare_viewed(
        viewed_model, plain.model_copy(update={"preview_every": 1, "trajectory": True})
    )
    beside, _ = viewed_model.prepare("beside", other, 2, Kind.ORDINARY)
    engine.submit([*viewed, *beside])
    after = [sample.finished.result(PATIENCE) for sample in (*viewed, *beside)]

    assert len(viewer.frames(0)) == plain.steps
    assert offered
    assert all(torch.equal(*pair) for pair in zip(before, after, strict=True))


@pytest.mark.parametrize("sampler", ["euler_a", "dpmpp_2m", "heun"])
def test_the_last_view_is_the_result(viewed_model, engine, sampler):
    # The last tick of these methods goes all the way to the clean latent it foresees.
    request = tiny_request(sampler=sampler, trajectory=True)
    (sample,), viewer, _ = prepare_viewed(viewed_model, request)
    engine.submit([sample])
    result = sample.finished.result(PATIENCE)
    expected = viewed_model.stepper.tap.map.pixels(result[None])[0].numpy()
    last = viewer.frames(0)[-1].pixels().astype(int)
    assert abs(last - expected).max() <= 1


def test_a_second_pass_is_seen_larger(viewed_model, engine):
    request = tiny_request(trajectory=True, hires=Hires(scale=1.5, strength=0.5, steps=8))
    (first,), viewer, _ = prepare_viewed(viewed_model, request)
    engine.submit([first])
    first.finished.result(PATIENCE)
    second = viewed_model.prepare_second(first, request, NO_PICTURES)
    engine.submit([second])
    second.finished.result(PATIENCE)
    shapes = [view.pixels().shape for view in viewer.frames(0)]
    assert shapes == [(8, 8, 3)] * 8 + [(12, 12, 3)] * 4
