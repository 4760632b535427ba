"""Brings an input picture to the size that a request asks for."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from shared.request import Fit


def fit_picture(picture: Image.Image, width: int, height: int, fit: Fit) -> NDArray[np.uint8]:
    """An RGB picture as [height, width, 3]."""
    return np.asarray(_fitted(picture, width, height, fit, Image.Resampling.LANCZOS))


def fit_mask(mask: Image.Image, width: int, height: int, fit: Fit) -> NDArray[np.bool_]:
    """A grey picture as [height, width]: whether to repaint, which only the lighter half says."""
    return np.asarray(_fitted(mask, width, height, fit, Image.Resampling.NEAREST)) > 127


def _fitted(
    picture: Image.Image, width: int, height: int, fit: Fit, resampling: Image.Resampling
) -> Image.Image:
    size = (width, height)
    match fit:
        case Fit.STRETCH:
            return picture.resize(size, resampling)
        case Fit.COVER:
            return ImageOps.fit(picture, size, resampling)
        case Fit.CONTAIN:
            scale = min(width / picture.width, height / picture.height)
            inside = [max(1, round(side * scale)) for side in picture.size]
            return _with_edges(picture.resize((inside[0], inside[1]), resampling), width, height)


def _with_edges(picture: Image.Image, width: int, height: int) -> Image.Image:
    """Centred, with the outermost pixels repeated up to the size."""
    pixels = np.asarray(picture)
    missing = (height - picture.height, width - picture.width)
    padding = [(side // 2, side - side // 2) for side in missing]
    padding += [(0, 0)] * (pixels.ndim - 2)
    return Image.fromarray(np.pad(pixels, padding, mode="edge"))
