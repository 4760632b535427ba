"""SDXL: two encoders, a pooled prompt, sizes; the same pictures as diffusers' own pipeline."""

import pytest
import torch
from diffusers import StableDiffusionXLPipeline

from shared.catalog import ModelDefaults, ModelEntry
from tests.comparing import by_diffusers, generate, relative
from tests.tiny_model import WIDTH
from tests.tiny_request import tiny_request
from tests.tiny_sdxl import POOLED_WIDTH, SECOND_WIDTH, build_tiny_sdxl
from worker.engine.batcher import Batcher
from worker.engine.engine import Engine
from worker.engine.rows import ROW_BUCKETS
from worker.engine.sample import Kind
from worker.models.device import DeviceSettings
from worker.models.load import load_model
from worker.models.prompt import parse_prompt

JOBS = [
    tiny_request(negative_prompt="dark"),
    tiny_request(prompt="a blue house", sampler="euler_a", steps=9, seed=7),
    tiny_request(guidance_scale=1.0, sampler="ddim", seed=11, steps=10),
    # Without a negative prompt: diffusers skips the layers of the prompt alone.
    tiny_request(clip_skip=1, guidance_scale=1.0, sampler="euler", seed=5, steps=7),
    tiny_request(prompt="", negative_prompt="blurred", seed=6),
]


@pytest.fixture(scope="module", params=[True, False], ids=["zeros", "encoded"])
def sdxl_path(request, tmp_path_factory):
    return build_tiny_sdxl(tmp_path_factory.mktemp("sdxl"), zeros=request.param)


@pytest.fixture(scope="module")
def sdxl(sdxl_path):
    defaults = ModelDefaults(width=64, height=64, steps=4)
    entry = ModelEntry(id="tiny", family="sdxl", path=sdxl_path, defaults=defaults)
    model = load_model(entry, DeviceSettings(device="cpu"))
    yield model
    model.close()


@pytest.fixture
def sdxl_engine(sdxl, ticks):
    engine = Engine(Batcher(lambda _: ROW_BUCKETS[-1]), {"tiny": sdxl.stepper}, ticks.append)
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def pipeline(sdxl_path):
    pipeline = StableDiffusionXLPipeline.from_pretrained(sdxl_path, add_watermarker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def test_together_alone_and_by_diffusers(sdxl, sdxl_engine, ticks, pipeline):
    together = generate(sdxl, sdxl_engine, JOBS)
    shared = max(tick.samples for tick in ticks)
    model_config = pipeline.scheduler.config

    assert shared == len(JOBS)
    worst = 0.0
    for request, latent in zip(JOBS, together, strict=True):
        (alone,) = generate(sdxl, sdxl_engine, [request])
        assert relative(latent, alone) <= 1e-4
        # What is not asked for is None there, and an empty text here.
        negative = {"negative_prompt": request.negative_prompt or None}
        expected = by_diffusers(pipeline, model_config, request, **negative)
        worst = max(worst, relative(alone, expected))
    print(f"SDXL, largest difference to diffusers: {worst:.1e}")
    assert worst <= 1e-3


def test_the_same_bucket_gives_the_same_bits_whatever_the_company(sdxl, sdxl_engine, ticks):
    subject, other, unguided, *_ = JOBS
    companies = [[subject, other], [other, subject], [unguided, subject, unguided]]
    latents = []
    for company in companies:
        ticks.clear()
        latents.append(generate(sdxl, sdxl_engine, company)[company.index(subject)])
        assert {tick.padded_rows for tick in ticks[: subject.steps]} == {4}

    assert all(torch.equal(latent, latents[0]) for latent in latents)


def test_a_reproducible_job_has_the_same_bits_in_company(sdxl, sdxl_engine):
    subject, other, *_ = JOBS

    (alone,) = generate(sdxl, sdxl_engine, [subject], Kind.REPRODUCIBLE)
    in_company = generate(sdxl, sdxl_engine, [other, subject], Kind.REPRODUCIBLE)[1]

    assert torch.equal(alone, in_company)


def test_a_picture_of_another_size_is_diffusers_too(sdxl, sdxl_engine, pipeline):
    request = tiny_request(width=96, height=64, negative_prompt="dark")
    (latent,) = generate(sdxl, sdxl_engine, [request])

    expected = by_diffusers(pipeline, pipeline.scheduler.config, request)

    assert relative(latent, expected) <= 1e-3


def test_chunks_have_the_states_of_both_and_the_pooled_vector_of_the_first(sdxl):
    first = sdxl.text.encode(parse_prompt("a"))
    whole = sdxl.text.encode(parse_prompt("a BREAK b BREAK c"))

    assert whole.states.shape == (4 * 77, WIDTH + SECOND_WIDTH)
    assert whole.pooled.shape == (POOLED_WIDTH,)
    assert torch.equal(whole.pooled, first.pooled)


def test_weights_leave_the_pooled_vector_alone(sdxl):
    plain = sdxl.text.encode(parse_prompt("a red apple"))
    weighted = sdxl.text.encode(parse_prompt("a (red:1.5) apple"))

    assert torch.equal(weighted.pooled, plain.pooled)
    for part in (slice(0, WIDTH), slice(WIDTH, None)):  # each encoder's mean stays its own
        assert weighted.states[:, part].mean() == pytest.approx(
            plain.states[:, part].mean().item(), rel=1e-3, abs=1e-6
        )
