"""How far the edges of two squares agree."""

import numpy as np

from training import edges
from worker.models import canny


def square(offset: int) -> np.ndarray:
    pixels = np.full((1, 64, 64, 3), 255, np.uint8)
    pixels[:, 16 + offset : 48 + offset, 16:48] = (200, 30, 30)
    return pixels


def test_agreement_tolerates_two_pixels():
    one = canny.canny(square(0))
    assert edges.f1(one, one)[0] == 1.0
    assert edges.f1(one, canny.canny(square(2)))[0] > 0.95
    assert edges.f1(one, canny.canny(square(9)))[0] < 0.7
    assert edges.f1(one, np.zeros_like(one))[0] == 0.0
