"""ControlNets: diffusers' residuals for the rows that ask, and nothing at all for the others."""

import numpy as np
import pytest
import torch
from diffusers import (
    ControlNetModel,
    StableDiffusionControlNetImg2ImgPipeline,
    StableDiffusionControlNetPipeline,
)
from PIL import Image

from shared.catalog import ControlEntry, ModelEntry
from shared.errors import ConfigurationError
from tests.comparison import by_diffusers, control, generate, prepare, reference, relative
from tests.tiny_model import build_tiny_control
from tests.tiny_request import tiny_request
from worker.engine.sample import Kind
from worker.models.device import DeviceSettings
from worker.models.load import load_model


@pytest.fixture(scope="session")
def nets(control_paths):
    return {name: ControlNetModel.from_pretrained(path) for name, path in control_paths.items()}


@pytest.fixture(scope="session")
def shown():
    """A picture for each net."""
    rng = np.random.default_rng(2)
    return {
        name: Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
        for name in ("canny", "depth")
    }


@pytest.mark.parametrize("guidance_scale", [1.0, 7.5])
def test_one_net(model, engine, tiny_path, nets, shown, differences, guidance_scale):
    canny = control("canny", shown["canny"], scale=0.8)
    request = tiny_request(guidance_scale=guidance_scale, controls=(canny,))
    pipeline = StableDiffusionControlNetPipeline.from_pretrained(
        tiny_path, controlnet=nets["canny"], safety_checker=None
    )

    (latent,) = generate(model, engine, [request], shown)
    expected = by_diffusers(
        pipeline, request, image=shown["canny"], controlnet_conditioning_scale=0.8
    )
    (without,) = generate(model, engine, [request.model_copy(update={"controls": ()})])

    assert differences("ControlNet, one", relative(latent, expected)) <= 1e-3
    assert relative(without, expected) > 0.1


def test_two_nets_for_parts_of_the_steps(model, engine, tiny_path, nets, shown, differences):
    request = tiny_request(
        sampler="euler",
        controls=(
            control("canny", shown["canny"], scale=0.5, start=0.2),
            control("depth", shown["depth"], scale=1.5, end=0.7),
        ),
    )
    pipeline = StableDiffusionControlNetPipeline.from_pretrained(
        tiny_path, controlnet=list(nets.values()), safety_checker=None
    )

    (latent,) = generate(model, engine, [request], shown)
    expected = by_diffusers(
        pipeline,
        request,
        image=list(shown.values()),
        controlnet_conditioning_scale=[0.5, 1.5],
        control_guidance_start=[0.2, 0.0],
        control_guidance_end=[1.0, 0.7],
    )

    assert differences("ControlNet, two with start and end", relative(latent, expected)) <= 1e-3


def test_beside_a_picture(model, engine, tiny_path, nets, shown, picture, differences):
    request = tiny_request(
        image=reference(picture, "in"),
        strength=0.6,
        controls=(control("canny", shown["canny"], end=0.5),),
    )
    pipeline = StableDiffusionControlNetImg2ImgPipeline.from_pretrained(
        tiny_path, controlnet=nets["canny"], safety_checker=None
    )

    (latent,) = generate(model, engine, [request], {"in": picture, **shown})
    expected = by_diffusers(
        pipeline,
        request,
        image=picture,
        control_image=shown["canny"],
        strength=0.6,
        controlnet_conditioning_scale=1.0,
        control_guidance_end=0.5,
    )

    assert differences("ControlNet, image-to-image", relative(latent, expected)) <= 1e-3


def test_the_same_net_twice_adds_up(model, engine, shown):
    once = tiny_request(controls=(control("canny", shown["canny"], scale=1.0),))
    half = control("canny", shown["canny"], scale=0.5)
    twice = tiny_request(controls=(half, half))

    one, two = (generate(model, engine, [request], shown)[0] for request in (once, twice))

    assert relative(two, one) <= 1e-4


def test_rows_that_ask_for_nothing_keep_their_bits(model, engine, ticks, shown):
    plain = tiny_request(seed=5)
    other = tiny_request(prompt="a blue house", seed=6)
    controlled = other.model_copy(update={"controls": (control("canny", shown["canny"]),)})

    among_plain = generate(model, engine, [plain, other])[0]
    beside_control = generate(model, engine, [plain, controlled], shown)[0]
    behind_control = generate(model, engine, [controlled, plain], shown)[1]

    assert max(tick.samples for tick in ticks) == 2
    assert torch.equal(beside_control, among_plain)
    assert torch.equal(behind_control, among_plain)


def test_long_prompts_are_controlled_too(model, engine, shown):
    # Each letter is a token here: three chunks and one of padding, beside one chunk.
    long = tiny_request(
        prompt="a long story " * 16, controls=(control("canny", shown["canny"]),), seed=3
    )
    short = tiny_request(controls=(control("canny", shown["canny"]),), seed=4)

    together = generate(model, engine, [long, short], shown)

    for request, latent in zip([long, short], together, strict=True):
        (alone,) = generate(model, engine, [request], shown)
        assert relative(latent, alone) <= 1e-4


def test_a_reproducible_controlled_job_keeps_its_bits(model, engine, shown):
    subject = tiny_request(controls=(control("canny", shown["canny"]),), seed=8)
    company = tiny_request(controls=(control("canny", shown["canny"], end=0.5),), seed=9)

    (alone,) = generate(model, engine, [subject], shown, Kind.REPRODUCIBLE)
    together = generate(model, engine, [company, subject], shown, Kind.REPRODUCIBLE)[1]

    assert torch.equal(alone, together)


def test_a_photograph_becomes_edges(model):
    square = Image.new("RGB", (64, 64), "white")
    square.paste("red", (16, 16, 48, 48))
    drawn = control("canny", square, preprocess=True)

    (sample,) = prepare(model, tiny_request(controls=(drawn,)), {"canny": square})

    (shown,) = sample.state.controls
    assert set(shown.pixels.unique().tolist()) == {0.0, 1.0}
    assert 0.02 < shown.pixels.mean() < 0.1


def test_a_net_of_another_kind_of_model_is_refused(tiny_path, tmp_path):
    net = ControlNetModel.from_pretrained(build_tiny_control(tmp_path / "net", 0))
    net.register_to_config(cross_attention_dim=768)
    net.save_config(tmp_path / "net")
    wrong = ControlEntry(type="depth", path=tmp_path / "net")
    entry = ModelEntry(id="tiny", family="sd", path=tiny_path, controls=(wrong,))

    with pytest.raises(ConfigurationError, match="`depth` has another cross_attention_dim"):
        load_model(entry, DeviceSettings(device="cpu"))
