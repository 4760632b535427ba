"""From a body to a complete request: defaults, sizes, samplers, budget, warnings."""

from pathlib import Path

import pytest

from api.body import JobBody, OutputBody
from api.normalise import DEFAULT_QUALITY, normalise
from shared.catalog import Catalog, Family, ModelDefaults, ModelEntry, ModelLimits
from shared.errors import InvalidRequest
from shared.request import OutputFormat
from shared.samplers import SAMPLERS

CATALOG = Catalog(
    default="small",
    models=(
        ModelEntry(
            id="small",
            family=Family.SD,
            path=Path("small"),
            defaults=ModelDefaults(
                width=128, height=192, steps=12, sampler="euler", schedule="karras"
            ),
            limits=ModelLimits(max_side=260, max_pixels=40_000, max_cost=20),
        ),
    ),
)


def ask(**fields):
    return normalise(JobBody(prompt="a red apple", **fields), CATALOG, SAMPLERS)


def wrong_fields(**fields) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        ask(**fields)
    return {error.field: error.detail for error in caught.value.errors}


def test_the_models_defaults_fill_in():
    request = ask().request
    assert (request.model, request.width, request.height) == ("small", 128, 192)
    assert (request.steps, request.sampler, request.schedule) == (12, "euler", "karras")
    assert request.output.format is OutputFormat.PNG
    assert 0 <= request.seed < 2**32


def test_a_seed_is_drawn_anew_each_time():
    assert len({ask().request.seed for _ in range(20)}) > 15
    assert ask(seed=0).request.seed == 0


def test_illegal_sizes_are_all_named():
    assert set(wrong_fields(width=100, height=1000)) == {"width", "height"}
    assert "nearest: 200 x 200" in wrong_fields(width=256, height=256)["width"]


def test_over_budget():
    assert "the model allows 20" in wrong_fields(num_images=8, steps=150)["steps"]


def test_what_is_ignored_is_told():
    found = ask(eta=0.5, output=OutputBody(format=OutputFormat.PNG, quality=50))
    assert [warning.code for warning in found.warnings] == ["option_ignored"] * 2
    assert ask(sampler="ddim", eta=0.5).warnings == ()
    assert ask(output=OutputBody(format=OutputFormat.JPEG, quality=50)).warnings == ()


def test_accept_gives_the_format_that_the_body_leaves_open():
    body = JobBody(prompt="a")
    found = normalise(body, CATALOG, SAMPLERS, OutputFormat.WEBP)
    assert found.request.output.format is OutputFormat.WEBP


def test_what_an_answer_echoes_can_be_sent_again_without_a_warning():
    default = OutputBody(format=OutputFormat.PNG, quality=DEFAULT_QUALITY)
    assert ask(sampler="euler", eta=0.0, output=default).warnings == ()
