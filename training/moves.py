"""Pictures moved about: mirrored, shifted, smaller or larger, a little turned, on white."""

import numpy as np
from PIL import Image

SMALLEST, LARGEST = 0.55, 1.1
FURTHEST = 0.2  # of the side, from the middle
TURN = 0.35  # radians


def moved(pixels: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Each of `[n, side, side, 3]` uint8 pictures once, somewhere else."""
    return np.stack([_move(picture, chance) for picture in pixels])


def _move(picture: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    side = len(picture)
    scale, angle = chance.uniform(SMALLEST, LARGEST), chance.uniform(-TURN, TURN)
    mirror = -1.0 if chance.random() < 0.5 else 1.0
    cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
    turn = np.array([[cosine * mirror, sine * mirror], [-sine, cosine]])
    middle = np.full(2, side / 2)
    shift = middle - turn @ (middle + side * chance.uniform(-FURTHEST, FURTHEST, 2))
    (a, b), (d, e) = turn
    return np.asarray(
        Image.fromarray(picture).transform(
            (side, side),
            Image.Transform.AFFINE,
            (a, b, shift[0], d, e, shift[1]),
            Image.Resampling.BICUBIC,
            fillcolor="white",
        )
    )
