"""What every answer tells a browser: keep nothing, guess nothing, run nothing, embed nowhere."""

from collections.abc import Iterable

Header = tuple[bytes, bytes]

# Every answer is data but `/docs`, which says itself what it may load.
_ALWAYS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),  # links carry tokens
)
_UNLESS_SAID: tuple[Header, ...] = (
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
)


def with_security(headers: Iterable[Header]) -> list[Header]:
    """An answer's headers and ours."""
    own = list(headers)
    said = {name for name, _ in own}
    return [*own, *_ALWAYS, *(header for header in _UNLESS_SAID if header[0] not in said)]
