"""Pages of other origins: none may call, unless the operator names theirs."""

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

_METHODS = ("GET", "HEAD", "POST", "DELETE")
_SENT = ("Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "Prefer")
_SHOWN = (
    "Idempotency-Replayed",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-Id",
)


def install(app: FastAPI, origins: Sequence[str]) -> None:
    """Let pages of `origins` call; keys go in a header, so cookies are not let through."""
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=_METHODS,
            allow_headers=_SENT,
            expose_headers=_SHOWN,
        )
