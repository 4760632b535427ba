"""`Prefer` and `Accept`, as clients write them."""

import pytest

from api.preferences import Wish, wait_seconds, wish
from shared.errors import NotAcceptable
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
        ("text/html", False, None),
        ("image/png", True, OutputFormat.PNG),
        ("image/*", True, None),
        ("IMAGE/WEBP;q=0.9, image/png", True, OutputFormat.PNG),
        ("image/webp; q=0.9, image/png;q=0.8, */*;q=0.1", True, OutputFormat.WEBP),
        ("image/avif,image/jpeg", True, OutputFormat.AVIF),
        ("application/json, image/png", False, None),
        ("application/json;q=0.5, image/png", True, OutputFormat.PNG),
        ("image/png;q=0, application/json", False, None),
        ("image/gif, image/*;q=0.5", True, None),
        ("image/gif, application/json", False, None),
        ("image/png;q=2, application/json;q=0.1", True, OutputFormat.PNG),
    ],
)
def test_accept(accept: str | None, picture: bool, output_format: OutputFormat | None):
    assert wish(accept) == Wish(picture, output_format)


@pytest.mark.parametrize("accept", ["image/gif", "image/svg+xml, text/html", "image/png;q=0"])
def test_a_picture_that_we_do_not_write(accept: str):
    with pytest.raises(NotAcceptable):
        wish(accept)
