"""What a client prefers: to wait (`Prefer: wait=N`), and a picture (`Accept: image/png`)."""

import re

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


def wants_picture(accept: str | None) -> bool:
    """Whether the first type that the client names is a picture."""
    return accept is not None and accept.strip().lower().startswith("image/")


def picture_format(accept: str | None) -> OutputFormat | None:
    """The first of our formats that the client names; None where any will do."""
    for item in (accept or "").lower().split(","):
        kind = item.partition(";")[0].strip()
        for output_format in OutputFormat:
            if kind == f"image/{output_format}":
                return output_format
    return None
