"""A request's input pictures in pixels, at the size of one pass."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Pictures:
    """What a request gives besides words.

    Attributes:
        image: [H, W, 3], where it starts from; None for noise.
        mask: [H, W], True where to repaint; None for everywhere.
        controls: [H, W, 3] each, in the order of the request's controls.
    """

    image: NDArray[np.uint8] | None = None
    mask: NDArray[np.bool_] | None = None
    controls: tuple[NDArray[np.uint8], ...] = ()

    def composite(self, made: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """`made` [H, W, 3], with the image's own pixels where nothing was to be repainted."""
        if self.mask is None:
            return made
        assert self.image is not None
        return np.where(self.mask[..., None], made, self.image)


NO_PICTURES = Pictures()
