"""SDXL: two encoders, a pooled prompt, sizes; the same pictures as diffusers' own pipeline."""

import pytest
import torch
from diffusers import StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline

from shared.catalog import LoraEntry, ModelDefaults, ModelEntry
from shared.request import Lora
from tests.comparison import by_diffusers, generate, reference, relative, stepping
from tests.tiny_loras import write_lora
from tests.tiny_model import WIDTH
from tests.tiny_request import tiny_request
from tests.tiny_sdxl import POOLED_WIDTH, SECOND_WIDTH, build_tiny_sdxl
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
    with stepping(sdxl, ticks.append) as engine:
        yield engine


@pytest.fixture(scope="module")
def pipeline(sdxl_path):
    return StableDiffusionXLPipeline.from_pretrained(sdxl_path, add_watermarker=False)


def negative(request):
    """What is not asked for is None for the pipeline, and an empty text here."""
    return {"negative_prompt": request.negative_prompt or None}


def test_together_alone_and_by_diffusers(sdxl, sdxl_engine, ticks, pipeline, differences):
    together = generate(sdxl, sdxl_engine, JOBS)
    shared = max(tick.samples for tick in ticks)

    assert shared == len(JOBS)
    for request, latent in zip(JOBS, together, strict=True):
        (alone,) = generate(sdxl, sdxl_engine, [request])
        assert relative(latent, alone) <= 1e-4
        clip_skip = request.clip_skip or None
        expected = by_diffusers(pipeline, request, clip_skip=clip_skip, **negative(request))
        assert differences("SDXL", relative(alone, expected)) <= 1e-3


@pytest.mark.parametrize("strength", [0.3, 0.7])
def test_image_to_image_is_diffusers_too(
    sdxl, sdxl_engine, pipeline, picture, differences, strength
):
    request = tiny_request(image=reference(picture, "in"), strength=strength, steps=10)
    (latent,) = generate(sdxl, sdxl_engine, [request], {"in": picture})

    from_picture = StableDiffusionXLImg2ImgPipeline(**pipeline.components, add_watermarker=False)
    from_picture.register_to_config(force_zeros_for_empty_prompt=sdxl.text.zeros_for_empty)
    expected = by_diffusers(
        from_picture, request, image=picture, strength=strength, **negative(request)
    )

    assert differences("SDXL image-to-image", relative(latent, expected)) <= 1e-3


def test_a_lora_of_all_three_models_is_diffusers_too(sdxl_path, pipeline, tmp_path, differences):
    parts = ("unet", "text_encoder", "text_encoder_2")
    file = write_lora(
        tmp_path / "all.safetensors", {name: getattr(pipeline, name) for name in parts}
    )
    entry = ModelEntry(
        id="tiny", family="sdxl", path=sdxl_path, loras=[LoraEntry(name="all", path=file)]
    )
    request = tiny_request(negative_prompt="dark", loras=(Lora(name="all", scale=0.5),))

    model = load_model(entry, DeviceSettings(device="cpu"))
    with stepping(model) as engine:
        (latent,) = generate(model, engine, [request])
        (plain,) = generate(model, engine, [request.model_copy(update={"loras": ()})])
    model.close()
    pipeline.load_lora_weights(file.parent, weight_name=file.name, adapter_name="all")
    pipeline.set_adapters(["all"], [0.5])
    expected = by_diffusers(pipeline, request)
    pipeline.unload_lora_weights()

    assert differences("SDXL LoRA", relative(latent, expected)) <= 1e-3
    assert relative(latent, plain) > 1e-2


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

    (alone,) = generate(sdxl, sdxl_engine, [subject], kind=Kind.REPRODUCIBLE)
    in_company = generate(sdxl, sdxl_engine, [other, subject], kind=Kind.REPRODUCIBLE)[1]

    assert torch.equal(alone, in_company)


def test_a_picture_of_another_size_is_diffusers_too(sdxl, sdxl_engine, pipeline):
    request = tiny_request(width=96, height=64, negative_prompt="dark")
    (latent,) = generate(sdxl, sdxl_engine, [request])

    expected = by_diffusers(pipeline, request, width=96, height=64)

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
