"""Eight unlike requests in one batch: each gets what it would have got alone."""

import threading

import numpy as np
import pytest
import torch
from PIL import Image

from tests.comparison import PATIENCE, control, generate, prepare, reference, relative, stepping
from tests.tiny_request import tiny_request
from worker.engine.sample import Kind


@pytest.fixture(scope="session")
def pictures(picture, mask):
    drawn = np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return {"in": picture, "mask": mask, "canny": Image.fromarray(drawn), "depth": picture}


@pytest.fixture(scope="session")
def unlike(pictures):
    """Text, picture, mask and control; two methods, two step counts, with and without guidance."""
    image = reference(pictures["in"], "in")
    mask = reference(pictures["mask"], "mask")
    canny = control("canny", pictures["canny"], end=0.6)
    depth = control("depth", pictures["depth"], scale=0.5)
    return [
        tiny_request(seed=1),
        tiny_request(seed=2, sampler="euler_a", steps=12, guidance_scale=1.0),
        tiny_request(seed=3, image=image, strength=0.5, steps=12),
        tiny_request(seed=4, image=image, strength=1.0, sampler="euler_a"),
        tiny_request(seed=5, image=image, mask=mask),
        tiny_request(seed=6, image=image, mask=mask, strength=0.7, guidance_scale=1.0),
        tiny_request(seed=7, controls=(canny,)),
        tiny_request(seed=8, controls=(canny, depth), image=image, strength=0.8, steps=12),
    ]


def test_they_share_ticks_and_equal_their_solo_runs(model, engine, ticks, unlike, pictures):
    together = generate(model, engine, unlike, pictures)

    assert max(tick.samples for tick in ticks) == len(unlike)
    for request, latent in zip(unlike, together, strict=True):
        (alone,) = generate(model, engine, [request], pictures)
        assert relative(latent, alone) <= 1e-4


def test_who_joins_late_gets_the_same(model, unlike, pictures):
    # Four rows alone as in company, so that the bucket is the same.
    early, late = unlike[0], unlike[4]
    begun = threading.Event()

    with stepping(model, lambda report: begun.set()) as engine:
        first = prepare(model, early.model_copy(update={"steps": 60}), pictures)
        then = prepare(model, late, pictures, "late", 1)
        engine.submit(first)
        assert begun.wait(PATIENCE)
        engine.submit(then)
        latent = then[0].finished.result(PATIENCE)
        first_left = first[0].ticks - first[0].tick
        first[0].finished.result(PATIENCE)
        beside = generate(model, engine, [early, late], pictures)[1]

    assert first_left > 0
    assert torch.equal(latent, beside)


@pytest.mark.parametrize("subject", [1, 4, 7])
def test_the_same_bucket_gives_the_same_bits(model, engine, ticks, unlike, pictures, subject):
    # The nets' own batches have their buckets too: no other controlled request here.
    others = [tiny_request(seed=20 + i, steps=12) for i in range(3)]
    unguided = tiny_request(seed=30, guidance_scale=1.0, steps=12)
    masked = unlike[5].model_copy(update={"steps": 30})

    plain = generate(model, engine, [unlike[subject], *others], pictures)[0]
    mixed = [unguided, masked, *others[:2], unlike[subject]]
    latent = generate(model, engine, mixed, pictures)[-1]

    assert {tick.padded_rows for tick in ticks if tick.samples > 3} == {8}
    assert torch.equal(latent, plain)


def test_a_reproducible_request_has_the_same_bits_always(model, engine, unlike, pictures):
    subjects = [unlike[2], unlike[4], unlike[7]]
    alone = [generate(model, engine, [one], pictures, Kind.REPRODUCIBLE)[0] for one in subjects]

    together = generate(model, engine, subjects, pictures, Kind.REPRODUCIBLE)

    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one, other)
