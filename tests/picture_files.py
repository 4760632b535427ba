"""Picture files as strangers send them: ordinary ones, and those that mean harm."""

import io
import struct
import zlib
from typing import Any

from PIL import Image

BOMB_BYTES = 50_000_000


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    """The picture as a file."""
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def gradient(width: int = 60, height: int = 40) -> Image.Image:
    """Dark above, light below."""
    return Image.linear_gradient("L").resize((width, height)).convert("RGB")


def picture(width: int = 60, height: int = 40, form: str = "PNG") -> bytes:
    """An ordinary picture."""
    return encoded(gradient(width, height), form)


def chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def colour_profile(*primaries: tuple[float, float, float]) -> bytes:
    """An ICC profile of a screen with these three primaries (XYZ under D50) and gamma 2.2."""
    gamma = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    columns = [
        b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(one * 65_536) for one in primary))
        for primary in primaries
    ]
    names = (b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC")
    table, body = struct.pack(">I", len(names)), b""
    for name, element in zip(names, [*columns, gamma, gamma, gamma], strict=True):
        start = 128 + 4 + 12 * len(names) + len(body)
        table += name + struct.pack(">II", start, len(element))
        body += element
    header = struct.pack(">I4xI", 128 + len(table) + len(body), 0x02400000)
    header += b"mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28)
    header += struct.pack(">3i", 63_190, 65_536, 54_061)  # D50
    return header.ljust(128, b"\0") + table + body


# What telephones photograph in.
DISPLAY_P3 = colour_profile(
    (0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407)
)


def png_of_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body


def flat_png(side: int) -> bytes:
    """A whole PNG of one colour: a few hundred kilobytes for gigabytes of pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    lines = bytes(100 * (1 + 3 * side))
    deflate = zlib.compressobj(9, wbits=-15)
    # Black lines squeezed once and repeated, since squeezing all of them takes seconds.
    block = deflate.compress(lines) + deflate.flush(zlib.Z_FULL_FLUSH)
    checksum = 1
    for _ in range(side // 100):
        checksum = zlib.adler32(lines, checksum)
    data = b"\x78\xda" + block * (side // 100) + deflate.flush() + struct.pack(">I", checksum)
    body = chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body


def with_chunk(kind: bytes, prefix: bytes) -> bytes:
    """An ordinary PNG with a chunk that inflates to 50 MB."""
    plain = picture()
    return plain[:33] + chunk(kind, prefix + zlib.compress(bytes(BOMB_BYTES), 9)) + plain[33:]


def animated(form: str) -> bytes:
    """Two frames."""
    first = gradient()
    return encoded(first, form, save_all=True, append_images=[first.transpose(1)])


def webp_of_header(width: int, height: int) -> bytes:
    """A WebP that claims a size and holds nothing."""
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + canvas + bytes(100)


def hostile() -> dict[str, tuple[bytes, str]]:
    """By name: the file, and the code of the refusal."""
    plain = picture()
    return {
        "empty": (b"", "picture_unsupported"),
        "text": (b"not a picture", "picture_unsupported"),
        "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "picture_unsupported"),
        "GIF": (encoded(gradient(), "GIF"), "picture_unsupported"),
        "TIFF": (encoded(gradient(), "TIFF"), "picture_unsupported"),
        "BMP": (encoded(gradient(), "BMP"), "picture_unsupported"),
        "APNG": (animated("PNG"), "picture_animated"),
        "animated WebP": (animated("WEBP"), "picture_animated"),
        "signature alone": (plain[:8], "picture_damaged"),
        "header alone": (plain[:33], "picture_damaged"),
        "half a PNG": (plain[: len(plain) // 2], "picture_damaged"),
        "half a JPEG": (picture(form="JPEG")[:-80], "picture_damaged"),
        "half a WebP": (picture(form="WEBP")[:60], "picture_damaged"),
        "60000 x 60000 header": (png_of_header(60_000, 60_000), "picture_too_many_pixels"),
        "10000 x 10000 header": (png_of_header(10_000, 10_000), "picture_too_many_pixels"),
        "9000 x 9000": (flat_png(9000), "picture_too_many_pixels"),
        "16383 x 16383 WebP": (webp_of_header(16_383, 16_383), "picture_too_many_pixels"),
        "zTXt": (with_chunk(b"zTXt", b"k\0\0"), "picture_metadata_too_large"),
        "iTXt": (with_chunk(b"iTXt", b"k\0\1\0\0\0"), "picture_metadata_too_large"),
        "iCCP": (with_chunk(b"iCCP", b"k\0\0"), "picture_metadata_too_large"),
    }
