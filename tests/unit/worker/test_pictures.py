"""Pictures: other programs read the pixels and the text back."""

import hashlib
import io
import json
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from shared.request import InputRef, Output, OutputFormat
from tests.tiny_request import tiny_request
from worker.pictures import encode_picture


def make_request(prompt="a red apple", **changes):
    facts = {
        "model": "emoji",
        "negative_prompt": "blurry",
        "width": 40,
        "height": 24,
        "num_images": 2,
        "steps": 20,
        "schedule": "karras",
        "seed": 2**32 - 1,
        "metadata": {"order": "of the client alone"},
    }
    return tiny_request(prompt=prompt, **facts | changes)


@pytest.fixture
def pixels():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (24, 40, 3), dtype=np.uint8)


def test_a_png_is_read_back_bit_for_bit(pixels):
    picture = encode_picture(pixels, make_request(), 0)

    with Image.open(io.BytesIO(picture.data)) as image:
        image.verify()
    with Image.open(io.BytesIO(picture.data)) as image:
        assert np.array_equal(np.asarray(image), pixels)
    assert (picture.content_type, picture.extension) == ("image/png", "png")
    assert picture.sha256 == hashlib.sha256(picture.data).hexdigest()


@pytest.mark.parametrize("prompt", ["a red apple", "一个女孩 🍎", "two\nlines"])
def test_a_png_says_how_it_was_made(pixels, prompt):
    picture = encode_picture(pixels, make_request(prompt), 1)

    with Image.open(io.BytesIO(picture.data)) as image:
        texts = image.text
    assert texts["parameters"].startswith(
        f"{prompt}\nNegative prompt: blurry\n"
        "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 0, "
        "Size: 40x24, Model: emoji, "
    )
    facts = json.loads(texts["tessera"])
    assert facts["request"]["prompt"] == prompt
    assert facts["request"]["seed"] == 0  # the second image's: seeds wrap around
    assert "metadata" not in facts["request"]


@pytest.mark.parametrize("form", [OutputFormat.JPEG, OutputFormat.WEBP, OutputFormat.AVIF])
def test_other_formats_carry_the_same_text(pixels, form):
    smooth = np.broadcast_to(np.arange(40, dtype=np.uint8)[None, :, None], pixels.shape)
    prompt = "一个女孩 🍎" * 500
    request = make_request(prompt, output=Output(format=form, quality=95))

    picture = encode_picture(np.ascontiguousarray(smooth), request, 0)

    with Image.open(io.BytesIO(picture.data)) as image:
        decoded = np.asarray(image.convert("RGB")).astype(int)
        comment = image.getexif().get_ifd(0x8769)[0x9286]
    assert image.format == form.value.upper()
    assert np.abs(decoded - smooth).max() <= 8
    assert comment.removeprefix(b"UNICODE\0").decode("utf-16-be").startswith(prompt)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 9, 3), (9, 1, 3)])
def test_the_smallest_pictures(shape):
    pixels = np.full(shape, 200, dtype=np.uint8)

    picture = encode_picture(pixels, make_request(negative_prompt=""), 0)

    with Image.open(io.BytesIO(picture.data)) as image:
        assert np.array_equal(np.asarray(image), pixels)


def xmp_of(data: bytes) -> str:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        packet = image.info.get("xmp", b"")
    return packet.decode() if isinstance(packet, bytes) else packet


@pytest.mark.parametrize("form", list(OutputFormat))
def test_every_format_says_that_a_machine_made_it(pixels, form):
    output = Output(format=form)
    sent = InputRef(id="in_0", width=40, height=24)
    for request, term in (
        (make_request(output=output), "trainedAlgorithmicMedia"),
        (make_request(output=output, image=sent), "compositeWithTrainedAlgorithmicMedia"),
    ):
        packet = xmp_of(encode_picture(pixels, request, 0).data)
        root = ElementTree.fromstring(packet)  # the declarations around it are comments to XML
        (description,) = root.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
        source = description.get("{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType")
        assert source == f"http://cv.iptc.org/newscodes/digitalsourcetype/{term}"
        assert xmp_of(encode_picture(pixels, request, 0, marked=False).data) == ""


def test_quality_changes_the_size(pixels):
    for form in (OutputFormat.JPEG, OutputFormat.WEBP, OutputFormat.AVIF):
        low, high = (
            len(encode_picture(pixels, make_request(output=Output(format=form, quality=q)), 0).data)
            for q in (10, 95)
        )
        assert low < high
