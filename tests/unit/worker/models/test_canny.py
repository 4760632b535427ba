"""Canny edges of a square, and of colours that only their hue tells apart."""

import numpy as np

from worker.models import canny


def square(offset: int) -> np.ndarray:
    pixels = np.full((1, 64, 64, 3), 255, np.uint8)
    pixels[:, 16 + offset : 48 + offset, 16:48] = (200, 30, 30)
    return pixels


def test_the_edges_of_a_square_are_its_outline():
    outline = canny.canny(square(0))
    assert outline.shape == (1, 64, 64)
    assert not outline[0, 24:40, 24:40].any()
    assert outline[0, 14:18, 24:40].any(axis=0).all()
    assert 100 < outline.sum() < 160  # four sides of 32 pixels, one pixel wide


def test_colours_of_one_brightness_still_have_an_edge():
    pixels = np.full((1, 32, 32, 3), (150, 0, 0), np.uint8)
    pixels[:, :, 16:] = (0, 76, 0)
    assert canny.canny(pixels)[0, :, 14:18].any(axis=1).all()
