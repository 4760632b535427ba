"""`RateLimit-Policy` and `RateLimit`: what a caller's cost limit is, and what remains of it.

As in draft-ietf-httpapi-ratelimit-headers-10: structured fields, in whole units, rounded so that
who believes them is not refused.
"""

import math

from shared.errors import LimitState


def rate_limit_headers(state: LimitState | None) -> dict[str, str]:
    """The two fields; none for who has no limit."""
    if state is None:
        return {}
    policy = f"q={math.floor(state.burst)};w={math.ceil(state.window_seconds)}"
    left = f"r={math.floor(state.remaining)};t={math.ceil(state.reset_seconds)}"
    return {"RateLimit-Policy": f'"cost";{policy};qu="cost"', "RateLimit": f'"cost";{left}'}
