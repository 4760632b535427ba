"""What a request costs, and the seeds of its images."""

import pytest

from shared.request import Control, InputRef
from tests.unit.shared.store.world import make_request


@pytest.mark.parametrize(("guidance", "rows"), [(0.0, 1), (1.0, 1), (1.1, 2), (7.5, 2)])
def test_guidance_doubles_the_rows(guidance: float, rows: int) -> None:
    assert make_request(guidance_scale=guidance).rows == rows


def test_cost_is_rows_by_steps_by_megapixels_by_images() -> None:
    request = make_request(guidance_scale=7.5, steps=30, width=512, height=1024, num_images=4)
    assert request.cost == pytest.approx(2 * 30 * 0.524288 * 4)


def test_two_calls_a_step_cost_double() -> None:
    assert make_request(sampler="heun").cost == 2 * make_request(sampler="euler").cost


def test_a_control_costs_its_share_of_the_steps() -> None:
    picture = InputRef(id="in_0", width=64, height=64)
    whole = Control(type="canny", image=picture)
    half = Control(type="canny", image=picture, start=0.25, end=0.75)
    assert make_request(controls=(whole, half)).cost == pytest.approx(1.6 * make_request().cost)


def test_seeds_go_round_at_32_bits() -> None:
    request = make_request(seed=2**32 - 2, num_images=4)
    assert [request.image_seed(i) for i in range(4)] == [2**32 - 2, 2**32 - 1, 0, 1]


def test_a_request_survives_its_own_json() -> None:
    request = make_request(prompt='ё "quotes" \n\u2028 🎨', seed=2**32 - 1, metadata={"a": "b"})
    assert type(request).model_validate_json(request.model_dump_json()) == request
