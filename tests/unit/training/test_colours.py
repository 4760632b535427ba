"""Shifting a hue and naming it agree."""

import numpy as np
import pytest

from training import colours
from training.captions import COLOURS


def disc(red: int, green: int, blue: int) -> np.ndarray:
    rows, columns = np.ogrid[:64, :64]
    pixels = np.full((64, 64, 3), 255, np.uint8)
    pixels[(rows - 32) ** 2 + (columns - 32) ** 2 < 400] = (red, green, blue)
    return pixels


@pytest.mark.parametrize("colour", COLOURS)
def test_a_shifted_picture_has_the_asked_colour(colour):
    shifted = colours.shift(disc(220, 30, 30), colour)
    assert shifted is not None
    assert colours.dominant(shifted) == colour
    assert (shifted[0, 0] == 255).all()  # the background stays white


def test_a_grey_picture_has_no_colour():
    assert colours.shift(disc(90, 90, 90), "red") is None
    assert colours.dominant(disc(90, 90, 90)) is None
