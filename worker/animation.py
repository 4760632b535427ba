"""The small pictures of a denoising as files: a preview, and the animated trajectory."""

import hashlib
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.request import GenerationRequest
from worker.pictures import EncodedPicture
from worker.provenance import xmp_packet

LONGEST_SIDE = 512
PREVIEW_QUALITY = 80
TRAJECTORY_QUALITY = 80
TRAJECTORY_EFFORT = 2  # of 6; more saves little where frames are blurred
FRAME_MILLISECONDS = 80
LAST_FRAME_MILLISECONDS = 2500


def encode_preview(
    pixels: NDArray[np.uint8], request: GenerationRequest, *, marked: bool = True
) -> bytes:
    """A JPEG in the shape of the finished picture, of LONGEST_SIDE at most.

    `pixels` is [h, w, 3], one for each place of the latent. `marked`: it says that a machine
    made it.
    """
    stream = io.BytesIO()
    picture = _enlarged(pixels, shown_size(request))
    picture.save(stream, "JPEG", quality=PREVIEW_QUALITY, **_mark(request, marked))
    return stream.getvalue()


def encode_trajectory(
    frames: list[NDArray[np.uint8]],
    finished: NDArray[np.uint8],
    request: GenerationRequest,
    *,
    marked: bool = True,
) -> EncodedPicture:
    """An animated WebP: the frames as previews, then the finished picture for longer."""
    size = shown_size(request)
    first, *others = [
        *(_enlarged(frame, size) for frame in frames),
        Image.fromarray(finished).resize(size, Image.Resampling.LANCZOS),
    ]
    stream = io.BytesIO()
    first.save(
        stream,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=[FRAME_MILLISECONDS] * len(frames) + [LAST_FRAME_MILLISECONDS],
        loop=0,
        quality=TRAJECTORY_QUALITY,
        method=TRAJECTORY_EFFORT,
        **_mark(request, marked),
    )
    data = stream.getvalue()
    return EncodedPicture(data, "image/webp", "webp", hashlib.sha256(data).hexdigest())


def shown_size(request: GenerationRequest) -> tuple[int, int]:
    """The finished picture's width and height, brought within LONGEST_SIDE."""
    width, height = request.size
    scale = min(LONGEST_SIDE / max(width, height), 1.0)
    return max(round(width * scale), 1), max(round(height * scale), 1)


def _mark(request: GenerationRequest, marked: bool) -> dict[str, Any]:
    return {"xmp": xmp_packet(request).encode()} if marked else {}


def _enlarged(pixels: NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    # Smooth, without the rings that a sharper filter draws around single pixels.
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)
