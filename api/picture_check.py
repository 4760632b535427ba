"""A stranger's picture file becomes a plain PNG, or is refused before it costs memory."""

import io
import struct
import zlib
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

from api.colour import to_srgb
from shared.errors import (
    PictureAnimated,
    PictureDamaged,
    PictureMetadataTooLarge,
    PictureTooManyPixels,
    PictureUnsupported,
)

MAX_PICTURE_BYTES = 20_000_000
MAX_PIXELS = 4096 * 4096
FORMATS = ("PNG", "JPEG", "WEBP")
SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
FAST = 1  # zlib's level: five times as fast as the default, for a file a tenth larger

# What Pillow's plugins raise over a damaged file.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    EOFError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True)
class CheckedPicture:
    """An upright sRGB picture without metadata, as a PNG."""

    png: bytes
    width: int
    height: int


def check_picture(data: bytes) -> CheckedPicture:
    """Decode and encode again; what is transparent shows white.

    Raises:
        UnusablePicture: one of its kinds, told from the file's first bytes and its header where
            that is possible.
    """
    webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    if not webp and not data.startswith(SIGNATURES):
        raise PictureUnsupported("send a PNG, a JPEG or a WebP")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_header(image)
            profile = image.info.get("icc_profile")
            plain = _plain(ImageOps.exif_transpose(image))
            to_srgb(plain, profile)
            return _encode(plain)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    except UnidentifiedImageError as error:
        raise PictureDamaged("the picture is cut off or damaged") from error
    except _DAMAGE as error:
        if "MAX_TEXT" in str(error):  # Pillow's guard against texts that inflate
            raise PictureMetadataTooLarge("the picture's metadata is too large") from error
        raise PictureDamaged("the picture is cut off or damaged") from error


def _check_header(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise _too_many_pixels()
    # An MPO is a photograph with its preview or its depth behind it, in frames of their own.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise PictureAnimated("the picture has several frames; send one of them")


def _too_many_pixels() -> PictureTooManyPixels:
    return PictureTooManyPixels(f"a picture may have at most {MAX_PIXELS} pixels (4096 x 4096)")


def _plain(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits: Pillow's own conversion would cut them off at 255
        image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if not image.has_transparency_data:
        return image.convert("RGB")
    layers = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(layers, mask=layers)
    return white


def _encode(image: Image.Image) -> CheckedPicture:
    image.info = {}  # Pillow would write the colour profile
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=FAST)
    return CheckedPicture(stream.getvalue(), image.width, image.height)
