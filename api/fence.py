"""Open mode's fence: without keys, only programs of this machine that mean us are let in.

A page of a stranger can reach loopback through the visitor's browser (DNS rebinding, forms), and
a proxy on this machine can carry strangers in; both show in the headers.
"""

from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from api.headers import Header
from api.problems import problem_response
from api.settings import is_loopback
from shared.errors import Forbidden

FORWARDING = frozenset({b"forwarded", b"true-client-ip", b"via", b"x-client-ip", b"x-real-ip"})
FORWARDING_PREFIX = b"x-forwarded"


class OpenModeFence:
    """Refuses a foreign `Host`, a foreign `Origin` and whatever came through a proxy."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the exchange through, or answer 403."""
        if scope["type"] == "http" and (reason := refusal(scope["headers"])):
            await problem_response(Forbidden(reason))(scope, receive, send)
            return
        await self._app(scope, receive, send)


def refusal(headers: Iterable[Header]) -> str | None:
    """Why a request with these headers is not let in; None where it is."""
    hosts, origins = [], []
    for name, value in headers:
        if name == b"host":
            hosts.append(value)
        elif name == b"origin":
            origins.append(value)
        elif name in FORWARDING or name.startswith(FORWARDING_PREFIX):
            return "without API keys the gateway takes no forwarded requests"
    if len(hosts) != 1 or not _is_ours(hosts[0]):
        return "without API keys the gateway answers to loopback names only"
    if any(origin != b"http://" + hosts[0] for origin in origins):
        return "without API keys the gateway takes no requests from other web pages"
    return None


@lru_cache(64)  # clients call us by one name or two
def _is_ours(host: bytes) -> bool:
    try:
        return is_loopback(urlsplit(f"//{host.decode('latin-1')}").hostname or "")
    except ValueError:
        return False
