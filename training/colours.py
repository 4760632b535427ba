"""Colour: shifting a picture's main hue, and naming the colour that a picture has."""

from typing import cast

import numpy as np
from PIL import Image

from training.captions import COLOURS

HUE_WINDOW = 35.0  # degrees around the main hue that belong to the object's own colour
SATURATED = 0.25


def hsv(pixels: np.ndarray) -> np.ndarray:
    """`[h, w, 3]` float: hue in degrees, saturation and value in 0..1."""
    values = np.asarray(Image.fromarray(pixels).convert("HSV"), dtype=np.float32) / 255.0
    return cast(np.ndarray, values * np.array([360.0, 1.0, 1.0], dtype=np.float32))


def hue_distance(hue: np.ndarray, other: float) -> np.ndarray:
    """Signed distance in degrees, -180..180."""
    return cast(np.ndarray, (hue - other + 180.0) % 360.0 - 180.0)


def main_hue(pixels: np.ndarray) -> float | None:
    """The hue most of the saturated pixels are near to; None for a grey picture."""
    values = hsv(pixels)
    weight = values[..., 1] * values[..., 2] * (values[..., 1] > SATURATED)
    if weight.sum() < 0.01 * weight.size:
        return None
    bins = np.bincount((values[..., 0].ravel() // 10).astype(int) % 36, weight.ravel(), 36)
    smooth = bins + np.roll(bins, 1) + np.roll(bins, -1)
    peak = float(smooth.argmax() * 10 + 5)
    offset = hue_distance(values[..., 0], peak)
    near = weight * (np.abs(offset) < HUE_WINDOW)
    return float((peak + (offset * near).sum() / near.sum()) % 360.0)


def shift(pixels: np.ndarray, colour: str) -> np.ndarray | None:
    """The picture with its main hue turned to `colour`; None if it has no main hue."""
    hue = main_hue(pixels)
    if hue is None:
        return None
    values = hsv(pixels)
    offset = hue_distance(values[..., 0], hue)
    mask = (np.abs(offset) < HUE_WINDOW) & (values[..., 1] > 0.12)
    target = (COLOURS[colour][1] + offset * 0.3) % 360.0
    values[..., 0] = np.where(mask, target, values[..., 0])
    turned = (values / np.array([360.0, 1.0, 1.0]) * 255.0).round().astype(np.uint8)
    return np.asarray(Image.fromarray(turned, mode="HSV").convert("RGB"))


def dominant(pixels: np.ndarray) -> str | None:
    """The colour word nearest to the picture's main hue."""
    hue = main_hue(pixels)
    if hue is None:
        return None
    return min(COLOURS, key=lambda word: abs(float(hue_distance(np.array(COLOURS[word][1]), hue))))
