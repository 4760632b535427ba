"""Small pictures as files: the shape of the finished one, smooth, and marked."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.tiny_request import tiny_request
from worker.animation import (
    FRAME_MILLISECONDS,
    LAST_FRAME_MILLISECONDS,
    encode_preview,
    encode_trajectory,
    shown_size,
)

LEFT_RED = np.zeros((8, 16, 3), dtype=np.uint8)
LEFT_RED[:, :8, 0] = 255


@pytest.mark.parametrize(
    ("size", "shown"),
    [((128, 64), (128, 64)), ((1024, 1024), (512, 512)), ((2048, 64), (512, 16))],
)
def test_no_side_is_longer_than_512(size, shown):
    width, height = size
    assert shown_size(tiny_request(width=width, height=height)) == shown


def test_a_preview_is_a_jpeg_in_the_pictures_shape():
    picture = Image.open(io.BytesIO(encode_preview(LEFT_RED, tiny_request(width=1024, height=512))))
    assert (picture.format, picture.size) == ("JPEG", (512, 256))
    assert picture.getpixel((10, 128))[0] > 240
    assert picture.getpixel((500, 128))[0] < 15
    assert b"trainedAlgorithmicMedia" in picture.info["xmp"]


def test_the_mark_can_be_left_out():
    assert b"Algorithmic" not in encode_preview(LEFT_RED, tiny_request(), marked=False)


def test_a_trajectory_ends_with_the_finished_picture():
    frames = [np.full((8, 8, 3), value, dtype=np.uint8) for value in (0, 60, 120)]
    finished = np.full((64, 64, 3), 250, dtype=np.uint8)
    encoded = encode_trajectory(frames, finished, tiny_request())
    assert (encoded.content_type, encoded.extension) == ("image/webp", "webp")
    picture = Image.open(io.BytesIO(encoded.data))
    shown = []
    for frame in range(picture.n_frames):
        picture.seek(frame)
        shown.append((picture.convert("RGB").getpixel((32, 32))[0], picture.info["duration"]))
    greys, durations = zip(*shown, strict=True)
    assert np.allclose(greys, [0, 60, 120, 250], atol=4)
    assert durations == (FRAME_MILLISECONDS,) * 3 + (LAST_FRAME_MILLISECONDS,)
    assert b"trainedAlgorithmicMedia" in encoded.data


def test_without_frames_it_is_the_finished_picture_alone():
    finished = np.full((64, 64, 3), 250, dtype=np.uint8)
    picture = Image.open(io.BytesIO(encode_trajectory([], finished, tiny_request()).data))
    assert picture.n_frames == 1
