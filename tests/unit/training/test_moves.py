"""Pictures moved about on white."""

import numpy as np

from training.moves import moved


def test_a_picture_stands_somewhere_else_on_white():
    pictures = np.full((8, 64, 64, 3), 255, np.uint8)
    pictures[:, 24:40, 24:40] = (0, 0, 200)
    made = moved(pictures, np.random.default_rng(1))
    assert made.shape == pictures.shape
    assert (made[:, 0, 0] == 255).all()
    dark = made[..., 0] < 128
    assert dark.any(axis=(1, 2)).all()
    assert len({tuple(np.argwhere(one).mean(0).round(1)) for one in dark}) == len(pictures)


def test_the_same_chance_gives_the_same_pictures():
    pictures = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    first, second = (moved(pictures, np.random.default_rng(5)) for _ in range(2))
    assert (first == second).all()
