"""The product's promise: a picture does not depend on who shared its batch, and is diffusers'."""

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from tests.comparison import PATIENCE, by_diffusers, generate, relative
from tests.tiny_request import tiny_request
from worker.engine.sample import Kind
from worker.samplers.catalog import SAMPLERS

METHODS = [(name, schedule) for name, one in SAMPLERS.items() for schedule in one.schedules]

# Twelve jobs that have nothing in common but the model and the size.
JOBS = [
    tiny_request(
        prompt=f"a red apple, {i}",
        negative_prompt="dark" if i % 2 else "",
        steps=8 + 2 * i,
        guidance_scale=(1.0, 4.0, 7.5)[i % 3],
        sampler=METHODS[i % len(METHODS)][0],
        schedule=METHODS[i % len(METHODS)][1],
        eta=0.5 if METHODS[i % len(METHODS)][0] == "ddim" else 0.0,
        seed=2**32 - 1 - 1000 * i,
    )
    for i in range(12)
]

both_predictions = pytest.mark.parametrize("tiny_path", ["epsilon", "v_prediction"], indirect=True)


@pytest.fixture(scope="session")
def pipeline(tiny_path):
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_path, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@both_predictions
def test_together_alone_and_by_diffusers(model, engine, ticks, pipeline):
    together = generate(model, engine, JOBS)
    shared = max(tick.samples for tick in ticks)

    assert shared == len(JOBS)
    for request, latent in zip(JOBS, together, strict=True):
        (alone,) = generate(model, engine, [request])
        assert relative(latent, alone) <= 1e-4
        difference = model.decode(latent).astype(int) - model.decode(alone)
        assert np.abs(difference).max() <= 1
        assert relative(alone, by_diffusers(pipeline, request)) <= 1e-3


def test_the_same_bucket_gives_the_same_bits_whatever_the_company(model, engine, ticks):
    subject = tiny_request(sampler="euler_a", steps=9, seed=42)
    unguided = tiny_request(guidance_scale=1.0, sampler="unipc", steps=9)
    guided = tiny_request(prompt="a blue house", sampler="ddim", steps=9, seed=3)
    longer = guided.model_copy(update={"steps": 13})
    companies = [
        [subject, guided, guided],
        [guided, subject, unguided, unguided],
        [unguided, unguided, longer, unguided, subject],
        [longer, guided, guided, subject],
    ]
    latents = []
    for company in companies:
        ticks.clear()
        finished = generate(model, engine, company)
        latents.append(finished[company.index(subject)])
        assert {tick.padded_rows for tick in ticks[: subject.steps]} == {8}

    for latent in latents[1:]:
        assert torch.equal(latent, latents[0])


def test_a_reproducible_job_has_the_same_bits_alone_and_in_company(model, engine, ticks):
    subject = tiny_request(seed=42)
    other = tiny_request(prompt="a blue house", seed=3, guidance_scale=1.0)
    ordinary = [tiny_request(seed=seed, steps=12) for seed in range(4)]
    long_prompt = tiny_request(prompt="a very long story " * 10)

    (alone,) = generate(model, engine, [subject], kind=Kind.REPRODUCIBLE)
    assert {tick.padded_rows for tick in ticks} == {4}
    in_company = generate(model, engine, [other, subject, long_prompt], kind=Kind.REPRODUCIBLE)[1]
    around = [model.prepare("other", request, 0, Kind.ORDINARY)[0][0] for request in ordinary]
    engine.submit(around)
    (among_others,) = generate(model, engine, [subject], kind=Kind.REPRODUCIBLE)
    for sample in around:
        sample.finished.result(PATIENCE)

    assert torch.equal(alone, in_company)
    assert torch.equal(alone, among_others)


def test_prompts_of_any_length_share_a_batch(model, engine, ticks):
    # Each letter is a token here: one, two, three and five chunks.
    requests = [tiny_request(prompt="word " * count, seed=count) for count in (3, 25, 50, 80)]

    together = generate(model, engine, requests)

    assert max(tick.samples for tick in ticks) == 4
    for request, latent in zip(requests, together, strict=True):
        (alone,) = generate(model, engine, [request])
        assert relative(latent, alone) <= 1e-4


def test_pictures_of_two_sizes_go_side_by_side(model, engine, ticks):
    wide = tiny_request(width=96, height=64)

    latents = generate(model, engine, [wide, tiny_request()])

    assert [latent.shape for latent in latents] == [(4, 8, 12), (4, 8, 8)]
    assert model.decode(latents[0]).shape == (64, 96, 3)


def test_a_very_long_prompt_keeps_to_itself(model, engine, ticks):
    requests = [tiny_request(), tiny_request(prompt="x" * 75 * 9)]

    generate(model, engine, requests)

    assert max(tick.samples for tick in ticks) == 1
