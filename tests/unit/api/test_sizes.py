"""Sizes: the nearest legal ones, and the one that an input picture gives."""

from pathlib import Path

import pytest

from api.sizes import default_size, nearest_area, nearest_sides
from shared.catalog import Family, ModelDefaults, ModelEntry, ModelLimits
from shared.request import InputRef

ENTRY = ModelEntry(
    id="small",
    family=Family.SD,
    path=Path("small"),
    defaults=ModelDefaults(width=512, height=512),
    limits=ModelLimits(max_side=768, max_pixels=400_000),
)


@pytest.mark.parametrize(
    ("side", "legal"),
    [
        (128, (128,)),
        (129, (128, 136)),
        (127, (120, 128)),
        (1, (64,)),
        (64, (64,)),
        (-5, (64,)),
        (256, (256,)),
        (260, (256,)),
        (10**30, (256,)),
    ],
)
def test_nearest_sides(side: int, legal: tuple[int, ...]):
    assert nearest_sides(side, 260) == legal


def test_the_nearest_area_fits():
    for width, height in ((256, 256), (256, 200), (64, 1024), (1024, 64), (512, 512)):
        near = nearest_area(width, height, 40_000)
        assert near[0] * near[1] <= 40_000
        assert near[0] % 8 == near[1] % 8 == 0
        assert min(near) >= 64


@pytest.mark.parametrize(
    ("sent", "size"),
    [
        ((640, 480), (640, 480)),  # allowed as it is
        ((128, 64), (128, 64)),
        ((641, 480), (592, 440)),  # as many pixels as the default size
        ((4000, 3000), (592, 440)),
        ((3000, 4000), (440, 592)),
        ((4000, 500), (768, 184)),
        ((10, 10), (512, 512)),
        ((10_000, 10), (768, 64)),
    ],
)
def test_an_input_picture_gives_the_size(sent: tuple[int, int], size: tuple[int, int]):
    image = InputRef(id="in_0", width=sent[0], height=sent[1])
    assert default_size(ENTRY, image) == size


def test_without_one_it_is_the_models():
    assert default_size(ENTRY, None) == (512, 512)
