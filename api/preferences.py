"""What a client prefers: to wait, to have the picture itself, or just to know the price."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared.errors import FieldError, InvalidRequest, NotAcceptable
from shared.request import OutputFormat

MAX_WAIT_SECONDS = 60

_WAIT = re.compile(r"(?:^|[,;\s])wait(?:\s*=\s*\"?(\d{1,9})\"?)?\s*(?:$|[,;])", re.IGNORECASE)


def wait_seconds(prefer: str | None) -> int | None:
    """Seconds to wait for the end of the job, at most 60; a bare `wait` is 60; None: do not."""
    match = _WAIT.search(prefer) if prefer else None
    if match is None:
        return None
    asked = match.group(1)
    return MAX_WAIT_SECONDS if asked is None else min(int(asked), MAX_WAIT_SECONDS)


def wants_dry_run(value: str | None) -> bool:
    """Whether `?dry_run=` asks to queue nothing. Raises InvalidRequest for what is no boolean."""
    match value:
        case None | "false":
            return False
        case "true":
            return True
    error = FieldError("dry_run", "not_boolean", "true or false")
    raise InvalidRequest("a parameter is wrong", errors=(error,))


@dataclass(frozen=True)
class Wish:
    """What the answer shall be: the job, or its first picture; `format` None: any of ours."""

    picture: bool
    format: OutputFormat | None = None


def wish(accept: str | None) -> Wish:
    """What `Accept` prefers among what we have; of equals, what it names first.

    Raises:
        NotAcceptable: it asks for a picture in formats that we do not write.
    """
    ranked = sorted(_media_ranges(accept or "*/*"), key=lambda item: -item[1])
    for kind, weight in ranked:
        if weight > 0 and kind in _WISHES:
            return _WISHES[kind]
    if any(kind.startswith("image/") for kind, _ in ranked):
        names = ", ".join(f"image/{form}" for form in OutputFormat)
        raise NotAcceptable(f"pictures come as {names}")
    return Wish(picture=False)


_WISHES = {
    **{f"image/{form}": Wish(picture=True, format=form) for form in OutputFormat},
    "image/*": Wish(picture=True),
    "application/json": Wish(picture=False),
    "application/*": Wish(picture=False),
    "*/*": Wish(picture=False),
}

_WEIGHT = re.compile(r";\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*(?:$|;)", re.IGNORECASE)


def _media_ranges(accept: str) -> Iterator[tuple[str, float]]:
    for item in accept.split(","):
        weight = _WEIGHT.search(item)
        yield item.partition(";")[0].strip().lower(), float(weight.group(1)) if weight else 1.0
