"""Strangers' pictures: what is taken comes out plain and upright, the rest costs no memory."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from api.picture_check import MAX_PIXELS, CheckedPicture, check_picture
from shared.errors import UnusablePicture
from tests.picture_files import DISPLAY_P3, encoded, gradient, hostile, picture

ROOT = Path(__file__).parents[3]
MEMORY_MIB = 60  # over what Python and Pillow themselves take


def opened(checked: CheckedPicture) -> Image.Image:
    image = Image.open(io.BytesIO(checked.png))
    assert (image.format, image.mode, image.info) == ("PNG", "RGB", {})
    assert image.size == (checked.width, checked.height)
    return image


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_the_three_formats(form: str):
    image = opened(check_picture(picture(form=form)))
    assert image.size == (60, 40)
    assert image.getpixel((30, 39))[0] > 230 > 25 > image.getpixel((30, 0))[0]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_turned_photograph_stands_upright_and_says_nothing_of_its_place(form: str):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 0.0)  # GPS
    sent = encoded(gradient(), form, exif=exif, icc_profile=b"a profile")
    assert opened(check_picture(sent)).size == (40, 60)


def test_sixteen_bits_become_eight():
    for deep, flat in ((65_535, 255), (32_896, 128), (0, 0)):
        image = opened(check_picture(encoded(Image.new("I;16", (4, 4), deep))))
        assert image.getpixel((0, 0)) == (flat, flat, flat)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_all_modes(mode: str):
    form = "JPEG" if mode == "CMYK" else "PNG"
    image = opened(check_picture(encoded(gradient().convert(mode), form)))
    assert image.getpixel((30, 39))[0] > 200


def test_what_is_transparent_shows_white():
    clear = Image.new("RGBA", (2, 2), (255, 0, 0, 0))
    assert opened(check_picture(encoded(clear))).getpixel((0, 0)) == (255, 255, 255)
    palette = Image.new("P", (2, 2), 0)
    sent = encoded(palette, transparency=0)
    assert opened(check_picture(sent)).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_picture_in_display_p3_becomes_srgb(form: str):
    image = Image.new("RGB", (8, 8), (200, 100, 100))
    red, green, blue = opened(check_picture(encoded(image, form, icc_profile=DISPLAY_P3))).getpixel(
        (0, 0)
    )
    assert (red, green, blue) == pytest.approx((214, 94, 97), abs=4)


def test_srgb_stays_as_it_is():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    sent = gradient()
    assert opened(check_picture(encoded(sent, icc_profile=profile))).tobytes() == sent.tobytes()


@pytest.mark.parametrize(
    "profile", [b"a profile", DISPLAY_P3[:200], DISPLAY_P3.replace(b"RGB ", b"CMYK")]
)
def test_a_profile_that_cannot_be_followed_changes_nothing(profile: bytes):
    sent = gradient()
    assert opened(check_picture(encoded(sent, icc_profile=profile))).tobytes() == sent.tobytes()


def test_a_photograph_with_a_second_frame_is_its_first():
    sent = encoded(gradient(), "MPO", save_all=True, append_images=[gradient(10, 10)])
    assert opened(check_picture(sent)).size == (60, 40)


def test_the_same_bytes_give_the_same_picture():
    sent = picture(form="JPEG")
    assert check_picture(sent) == check_picture(sent)


def test_each_hostile_file_has_its_refusal():
    for name, (data, code) in hostile().items():
        with pytest.raises(UnusablePicture) as caught:
            check_picture(data)
        assert caught.value.code == code, name


MEASURE = """
import resource, sys, warnings
from api.picture_check import check_picture
from shared.errors import UnusablePicture
from tests.picture_files import picture, hostile
warnings.simplefilter("ignore")
files = hostile()
for form in ("PNG", "JPEG", "WEBP"):
    check_picture(picture(form=form))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for data, _ in files.values():
    try:
        check_picture(data)
    except UnusablePicture:
        pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_no_hostile_file_costs_memory():
    run = subprocess.run(
        [sys.executable, "-c", MEASURE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(run.stdout) < MEMORY_MIB, f"{run.stdout} MiB"


def test_the_largest_picture_is_taken():
    side = int(MAX_PIXELS**0.5)
    assert check_picture(encoded(Image.new("L", (side, side)))).width == side
