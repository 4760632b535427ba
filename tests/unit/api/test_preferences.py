"""`Prefer` and `Accept`, as clients write them."""

import pytest

from api.preferences import picture_format, wait_seconds, wants_picture
from shared.request import OutputFormat


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, None),
        ("", None),
        ("wait=10", 10),
        ("wait=0", 0),
        ("Wait = 10", 10),
        ('wait="10"', 10),
        ("wait", 60),
        ("wait=600", 60),
        ("wait=-1", None),
        ("wait=ten", None),
        ("waiting=5", None),
        ("respond-async", None),
        ("respond-async, wait=5", 5),
        ("wait=5; foo=bar", 5),
        ("return=minimal,wait=7,handling=strict", 7),
        ("wait=" + "9" * 5000, None),
    ],
)
def test_wait(prefer: str | None, seconds: int | None):
    assert wait_seconds(prefer) == seconds


@pytest.mark.parametrize(
    ("accept", "picture", "output_format"),
    [
        (None, False, None),
        ("*/*", False, None),
        ("application/json", False, None),
        ("image/png", True, OutputFormat.PNG),
        ("image/*", True, None),
        ("IMAGE/WEBP;q=0.9, image/png", True, OutputFormat.WEBP),
        ("image/avif,image/jpeg", True, OutputFormat.AVIF),
        ("application/json, image/png", False, OutputFormat.PNG),
    ],
)
def test_accept(accept: str | None, picture: bool, output_format: OutputFormat | None):
    assert wants_picture(accept) is picture
    assert picture_format(accept) is output_format
