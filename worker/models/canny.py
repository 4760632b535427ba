"""Canny edges: the drawing that a `canny` ControlNet is shown, at work as in its training."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

LOW, HIGH = 0.08, 0.2  # of the steepest possible step from black to white


def smoothed(values: torch.Tensor) -> torch.Tensor:
    """A 5x5 binomial blur of `[n, 1, h, w]`."""
    line = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0
    padded = functional.pad(values, (2, 2, 2, 2), mode="replicate")
    blurred = functional.conv2d(padded, line.view(1, 1, 1, 5))
    return functional.conv2d(blurred, line.view(1, 1, 5, 1))


def gradient(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Sobel slopes to the right and down, of `[n, 1, h, w]`."""
    sobel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 4.0
    padded = functional.pad(values, (1, 1, 1, 1), mode="replicate")
    return (
        functional.conv2d(padded, sobel.view(1, 1, 3, 3)),
        functional.conv2d(padded, sobel.T.reshape(1, 1, 3, 3)),
    )


def canny(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Edges `[n, h, w]` bool of pictures `[n, h, w, 3]` uint8 (Canny, 1986).

    The steepest colour channel decides, so that red beside green of one brightness is an edge.
    """
    count, height, width = pixels.shape[:3]
    planes = torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float() / 255.0
    across, down = gradient(smoothed(planes.reshape(-1, 1, height, width)))
    by_channel = torch.hypot(across, down).view(count, 3, height, width)
    steepness, channel = by_channel.max(dim=1, keepdim=True)
    across = across.view_as(by_channel).gather(1, channel)
    down = down.view_as(by_channel).gather(1, channel)
    ridge = is_ridge(steepness, across, down)
    strong, weak = ridge & (steepness > HIGH), ridge & (steepness > LOW)
    return hysteresis(strong[:, 0].numpy(), weak[:, 0].numpy())


def is_ridge(steepness: torch.Tensor, across: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
    """Where no neighbour along the slope, rounded to 45 degrees, is steeper."""
    octant = (torch.atan2(down, across) / (torch.pi / 4)).round().long() % 4
    padded = functional.pad(steepness, (1, 1, 1, 1))
    height, width = steepness.shape[-2:]
    kept = torch.zeros_like(steepness, dtype=torch.bool)
    for direction, (right, below) in enumerate([(1, 0), (1, 1), (0, 1), (-1, 1)]):
        ahead = padded[..., 1 + below : 1 + below + height, 1 + right : 1 + right + width]
        behind = padded[..., 1 - below : 1 - below + height, 1 - right : 1 - right + width]
        kept |= (octant == direction) & (steepness >= ahead) & (steepness > behind)
    return kept


def hysteresis(strong: NDArray[np.bool_], weak: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Weak edges that hang together with a strong one, `[n, h, w]` bool."""
    while True:
        grown = strong.copy()
        grown[:, 1:] |= strong[:, :-1]
        grown[:, :-1] |= strong[:, 1:]
        wide = grown.copy()
        wide[:, :, 1:] |= grown[:, :, :-1]
        wide[:, :, :-1] |= grown[:, :, 1:]
        wide = wide & weak | strong
        if np.array_equal(wide, strong):
            return strong
        strong = wide


def as_control(edges: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """White lines on black, `[n, h, w, 3]` uint8, as a Canny ControlNet is shown them."""
    return np.repeat(edges[..., None], 3, axis=-1).astype(np.uint8) * 255
