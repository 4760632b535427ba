"""From a latent to pixels, by another way where the first one fails, and telling of it."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from shared.errors import GenerationInvalid, ResourceExhausted
from worker.models.image import Decoding
from worker.models.resident import ResidentModel
from worker.models.wording import Note


def decode(
    model: ResidentModel, latent: Tensor, index: int, reproducible: bool
) -> tuple[NDArray[np.uint8], list[Note]]:
    """The picture of a latent, and what the client should know of how it was made.

    `reproducible`: its bits must not depend on what was built to make decoding faster, and when.

    Raises:
        GenerationInvalid: in full precision, too, it is not finite or all of one value.
        ResourceExhausted: in tiles, too, it does not fit into memory.
    """
    try:
        return model.decode(latent, Decoding.WHOLE if reproducible else Decoding.FAST), []
    except GenerationInvalid:
        pixels = model.decode(latent, Decoding.FULL_PRECISION)
        return pixels, [("decoded_again", f"image {index} was decoded in full precision")]
    except ResourceExhausted:
        pixels = model.decode(latent, Decoding.TILED)
        return pixels, [("decoded_in_tiles", f"image {index} was decoded in tiles to save memory")]
