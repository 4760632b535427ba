"""A decoded picture's way to a PNG file: the worker's beside diffusers' and Pillow's.

Both begin with the decoder's output, since the decoder is the same. The worker's file holds its
texts and its mark besides, and a hash is taken of it. Pixels of both files are compared. Times are
of one processor, which either way keeps busy all the time.
"""

import io
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from diffusers.image_processor import VaeImageProcessor
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from bench.figures import ratios, summary
from bench.requests import request
from worker.models.image import as_pixels
from worker.pictures import encode_picture

ROUNDS = 5
SIDES = (512, 1024)
TARGETS = {"times_faster_at_1024": 20, "size": 1.15}
# Slope of the spectrum and strength of the grain. The first gives files of 0.44 of the raw size
# by Pillow, as photographs do; the second is mostly grain, which no compressor can do much about.
KINDS = {"photograph": (1.5, 1.0), "grain": (1.0, 4.0)}


def made_up_picture(side: int, slope: float, grain: float, seed: int) -> NDArray[np.uint8]:
    """Random shapes of every size, with grain: statistically what a photograph is."""
    rng = np.random.default_rng(seed)
    radius = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]) * side
    radius[0, 0] = 1
    strength = radius**-slope
    channels = []
    for _ in range(3):
        waves = np.exp(2j * np.pi * rng.random(radius.shape)) * strength
        shapes = np.fft.irfft2(waves)
        channels.append((shapes - shapes.mean()) / shapes.std() * 50 + 128)
    picture = np.stack(channels, axis=-1)
    grey = picture.mean(axis=-1, keepdims=True)
    picture = grey + 0.3 * (picture - grey) + rng.normal(0, grain, (side, side, 1))
    return picture.clip(0, 255).round().astype(np.uint8)


def worker_file(decoded: Tensor) -> bytes:
    """As a worker makes it; overwrites `decoded`."""
    return encode_picture(as_pixels(decoded).numpy(), request(), 0).data


def diffusers_file(decoded: Tensor) -> bytes:
    """As a script makes it by diffusers' documentation."""
    image = VaeImageProcessor().postprocess(decoded[None], output_type="pil")[0]
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    return stream.getvalue()


def timed(make: Callable[[Tensor], bytes], decoded: Tensor) -> tuple[float, bytes]:
    """Milliseconds of the processor, and the file."""
    own = decoded.clone()
    began = time.thread_time()
    file = make(own)
    return (time.thread_time() - began) * 1e3, file


def _pixels(file: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(file)) as image:
        return np.asarray(image)


def compare(side: int, slope: float, grain: float) -> dict[str, Any]:
    """Interleaved rounds of both, each on a picture of its own."""
    ours, theirs = [], []
    our_bytes, their_bytes = [], []
    for number in range(1 + ROUNDS):
        pixels = made_up_picture(side, slope, grain, seed=number)
        decoded = torch.from_numpy(pixels).permute(2, 0, 1).float() / 127.5 - 1
        ours_ms, our_file = timed(worker_file, decoded)
        theirs_ms, their_file = timed(diffusers_file, decoded)
        assert np.array_equal(_pixels(our_file), pixels)
        assert np.array_equal(_pixels(their_file), pixels)
        if number > 0:  # the first round warms up
            ours.append(ours_ms)
            theirs.append(theirs_ms)
            our_bytes.append(len(our_file))
            their_bytes.append(len(their_file))
    return {
        "worker_ms": summary(ours, 1),
        "diffusers_pillow_ms": summary(theirs, 1),
        "times_faster": ratios(theirs, ours, 1),
        "size": ratios(our_bytes, their_bytes),
        "their_size_of_raw": summary([size / pixels.nbytes for size in their_bytes]),
    }


def run() -> dict[str, Any]:
    """Both kinds of picture at both sizes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found: dict[str, Any] = {
        f"{kind}_{side}": compare(side, *look) for kind, look in KINDS.items() for side in SIDES
    }
    torch.set_num_threads(threads)
    return {**found, "targets": TARGETS}


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
