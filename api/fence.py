"""Open mode's fence: without keys, only programs of this machine that mean us are let in.

A page of a stranger can reach loopback through the visitor's browser (DNS rebinding, forms), and
a proxy on this machine can carry strangers in; both show in the headers.
"""

from functools import lru_cache
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import problem_response
from api.settings import is_loopback
from shared.errors import Forbidden

FORWARDING = frozenset({"forwarded", "true-client-ip", "via", "x-client-ip", "x-real-ip"})
FORWARDING_PREFIX = "x-forwarded"


class OpenModeFence:
    """Refuses a foreign `Host`, a foreign `Origin` and whatever came through a proxy."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the exchange through, or answer 403."""
        if scope["type"] == "http" and (reason := refusal(Headers(scope=scope))):
            await problem_response(Forbidden(reason))(scope, receive, send)
            return
        await self._app(scope, receive, send)


def refusal(headers: Headers) -> str | None:
    """Why a request with these headers is not let in; None where it is."""
    host = headers.get("host", "")
    if not is_loopback(_name(f"//{host}")):
        return "without API keys the gateway answers to loopback names only"
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        return "without API keys the gateway takes no requests from other web pages"
    if any(name in FORWARDING or name.startswith(FORWARDING_PREFIX) for name in headers):
        return "without API keys the gateway takes no forwarded requests"
    return None


@lru_cache(64)  # clients call us by one name or two
def _name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
