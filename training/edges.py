"""How well two edge pictures agree."""

import numpy as np
import torch
from torch.nn import functional

TOLERANCE = 2  # pixels that an edge may be off


def grow(edges: torch.Tensor, pixels: int) -> torch.Tensor:
    """Every place within so many pixels of an edge, `[n, 1, h, w]` bool."""
    return functional.max_pool2d(edges.float(), 2 * pixels + 1, 1, pixels) > 0.5


def f1(asked: np.ndarray, made: np.ndarray) -> np.ndarray:
    """For each pair of `[n, h, w]` edge pictures, the F1 of edges that the other has nearby."""
    wanted, found = torch.from_numpy(asked)[:, None], torch.from_numpy(made)[:, None]
    recalled = (wanted & grow(found, TOLERANCE)).sum((1, 2, 3)) / wanted.sum((1, 2, 3)).clamp(min=1)
    precise = (found & grow(wanted, TOLERANCE)).sum((1, 2, 3)) / found.sum((1, 2, 3)).clamp(min=1)
    return (2.0 * recalled * precise / (recalled + precise).clamp(min=1e-9)).numpy()
