"""How large a body may be: a megabyte, and more only where pictures are sent."""

from api.body import JobBody
from api.picture_check import MAX_PICTURE_BYTES
from shared.errors import BodyTooLarge

MAX_PLAIN_BYTES = 1_000_000
MAX_BODY_BYTES = 32_000_000  # a picture of 20 MB as base64, and what stands around it
MULTIPART_BYTES = 10_000  # boundaries and headers of the parts

CAPS = {"/v1/jobs": MAX_BODY_BYTES, "/v1/inputs": MAX_PICTURE_BYTES + MULTIPART_BYTES}

# A legal body has a few hundred of these and as many as its prompts hold; base64 has none. More of
# them would make the parser build, and complain of, millions of things.
_STRUCTURE = (b'"', b",", b"[", b"{")
MAX_STRUCTURE = 50_000


def body_cap(path: str) -> int:
    """The most bytes that a body sent to `path` may have."""
    return CAPS.get(path, MAX_PLAIN_BYTES)


def refuse_crowded(raw: bytes) -> None:
    """Refuse a JSON body over a megabyte that cannot be pictures for the most part, unparsed.

    Raises:
        BodyTooLarge: it is.
    """
    if len(raw) > MAX_PLAIN_BYTES and sum(map(raw.count, _STRUCTURE)) > MAX_STRUCTURE:
        raise too_large(MAX_PLAIN_BYTES)


def refuse_padded(raw: bytes, body: JobBody) -> None:
    """Refuse a body that without its pictures' data has more than a megabyte.

    Raises:
        BodyTooLarge: it has.
    """
    data = sum(len(picture.data or "") for _, picture in body.pictures())
    if len(raw) - data > MAX_PLAIN_BYTES:
        raise too_large(MAX_PLAIN_BYTES)


def too_large(cap: int) -> BodyTooLarge:
    """The error that names the cap, in bytes."""
    return BodyTooLarge(f"the body is too large; the cap is {cap} bytes, pictures' data apart")
