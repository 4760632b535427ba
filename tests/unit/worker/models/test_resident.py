"""A resident model: what job threads get from it."""

import math

import pytest
import torch

from shared.errors import GenerationInvalid
from shared.request import Priority
from tests.tiny_request import tiny_request
from worker.engine.engine import RUN_AHEAD
from worker.engine.sample import Kind
from worker.models.course import CHECK_TURN

PATIENCE = 100  # seconds


def test_a_job_becomes_a_sample_an_image(model):
    request = tiny_request(num_images=3, priority=Priority.HIGH, steps=5, seed=2**32 - 1)

    samples, warnings = model.prepare("job_1", request, 7, Kind.ORDINARY)

    assert warnings == []
    assert [sample.index for sample in samples] == [0, 1, 2]
    for sample in samples:
        assert (sample.job_id, sample.sequence, sample.priority) == ("job_1", 7, 0)
        assert (sample.rows, sample.ticks) == (2, 5)
        assert sample.key.latent_shape == (4, 8, 8)
    generator = torch.Generator("cpu").manual_seed(0)
    expected = torch.randn(4, 8, 8, generator=generator)
    assert torch.equal(samples[1].state.noise[0], expected)


def test_pictures_that_are_done_are_skipped(model):
    request = tiny_request(num_images=3)

    all_samples, _ = model.prepare("job", request, 0, Kind.ORDINARY)
    rest, _ = model.prepare("job", request, 0, Kind.ORDINARY, skip=frozenset({0, 1}))

    assert [sample.index for sample in rest] == [2]
    assert torch.equal(rest[0].state.noise, all_samples[2].state.noise)


def test_without_guidance_there_is_one_row_and_no_negative_prompt(model):
    request = tiny_request(guidance_scale=1.0, negative_prompt="x" * 100)

    (sample,), warnings = model.prepare("job", request, 0, Kind.ORDINARY)

    assert sample.rows == 1
    assert sample.state.negative is None
    assert warnings == []


def test_a_chunked_prompt_is_told(model):
    request = tiny_request(prompt="x" * 100, negative_prompt="y" * 160)

    _, warnings = model.prepare("job", request, 0, Kind.ORDINARY)

    assert warnings == [
        ("prompt_chunked", "the prompt has 100 tokens; it was encoded in 2 chunks of 75"),
        ("prompt_chunked", "the negative prompt has 160 tokens; it was encoded in 3 chunks of 75"),
    ]


def test_a_picture_that_is_not_finite_is_refused(model):
    with pytest.raises(GenerationInvalid):
        model.decode(torch.full((4, 8, 8), math.nan))


def test_a_latent_that_is_not_finite_fails_its_sample_only(model, engine):
    (broken,), _ = model.prepare("broken", tiny_request(), 0, Kind.ORDINARY)
    (whole,), _ = model.prepare("whole", tiny_request(), 1, Kind.ORDINARY)
    broken.state.planes[0, 0, 0, 0] = math.nan
    engine.submit([broken, whole])

    with pytest.raises(GenerationInvalid):
        broken.finished.result(PATIENCE)
    assert whole.finished.result(PATIENCE).isfinite().all()


def test_a_sample_that_is_not_finite_does_not_take_all_its_ticks(model, engine):
    (broken,), _ = model.prepare("broken", tiny_request(steps=40), 0, Kind.ORDINARY)
    broken.state.planes[0, 0, 0, 0] = math.nan
    engine.submit([broken])

    with pytest.raises(GenerationInvalid):
        broken.finished.result(PATIENCE)
    assert broken.tick <= CHECK_TURN + RUN_AHEAD


def test_warm_up_measures_and_makes_a_picture(model, engine):
    found = model.warm_up(engine)

    assert found.attention.name.startswith("sdpa-")
    assert found.max_rows == model.stepper.max_rows
    assert found.max_rows in found.tick_seconds
    assert found.image_seconds > 0
