"""Around every HTTP exchange: request id, log line, metrics, the body's limits, security headers.

Nobody reads the rest of a body that was refused, so an answer that comes before the end of the
body closes the connection.
"""

import asyncio
import logging
import time
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.body_caps import body_cap, too_large
from api.headers import Header, with_security
from api.metrics import GatewayMetrics
from api.problems import problem_response
from shared.errors import BodyTooSlow
from shared.ids import new_request_id
from shared.logging import request_id
from shared.tracing import UNTRACED, Span, SpanKind, Tracing

logger = logging.getLogger(__name__)

TRACED = "/v1/"  # probes would drown the rest


class ExchangeMiddleware:
    """Pure ASGI, since Starlette's BaseHTTPMiddleware costs a task an exchange."""

    def __init__(
        self, app: ASGIApp, metrics: GatewayMetrics, tracing: Tracing, body_seconds: float
    ) -> None:
        """`body_seconds`: what a body may take to arrive in all."""
        self._app = app
        self._body_seconds = body_seconds
        self._metrics = metrics
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one exchange."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        traceparent = Headers(scope=scope).get("traceparent")
        tracing = self._tracing if scope["path"].startswith(TRACED) else UNTRACED
        with tracing.span("request", SpanKind.SERVER, parent=traceparent) as span:
            await self._exchange(scope, receive, send, span)

    async def _exchange(self, scope: Scope, receive: Receive, send: Send, span: Span) -> None:
        request = new_request_id()
        request_id.set(request)
        started = time.perf_counter()
        declared, body_unread = _declared_body(scope["headers"])
        cap = body_cap(scope["path"])
        late = asyncio.get_running_loop().time() + self._body_seconds
        received, status, first_byte = 0, 500, None

        async def receive_body() -> Message:
            nonlocal body_unread, received
            # Once the body is there, what comes next is the client's leaving: no hurry.
            try:
                async with asyncio.timeout_at(late if body_unread else None):
                    message = await receive()
            except TimeoutError:
                raise BodyTooSlow(
                    f"the body took longer than {self._body_seconds:g} seconds"
                ) from None
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > cap:
                    raise too_large(cap)
                body_unread = message.get("more_body", False)
            return message

        async def send_answer(message: Message) -> None:
            nonlocal status, first_byte
            if message["type"] == "http.response.start":
                status, first_byte = message["status"], time.perf_counter()
                extra = [(b"x-request-id", request.encode())]
                if body_unread:
                    extra.append((b"connection", b"close"))
                message = {**message, "headers": [*with_security(message["headers"]), *extra]}
            await send(message)

        try:
            if declared > cap:
                await problem_response(too_large(cap))(scope, receive, send_answer)
            else:
                await self._app(scope, receive_body, send_answer)
        finally:
            seconds = (first_byte or time.perf_counter()) - started
            self._account(scope, status, seconds)
            _tell(span, scope, status, request)

    def _account(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope.get("route")
        handler = route.path if route is not None else "none"
        method = scope["method"] if route is not None else "any"
        self._metrics.observe_exchange(handler, method, status, seconds)
        logger.info(
            "answered",
            extra={
                "method": method,
                "handler": handler,
                "status": status,
                "milliseconds": round(seconds * 1000, 2),
            },
        )


def _tell(span: Span, scope: Scope, status: int, request: str) -> None:
    route, method = scope.get("route"), scope["method"]
    handler = route.path if route is not None else "none"
    attributes = {
        "http.request.method": method,
        "http.route": handler,
        "http.response.status_code": status,
        "tessera.request_id": request,
    }
    span.describe(f"{method} {handler}", attributes)
    if status >= 500:
        span.fail(str(status))


def _declared_body(headers: Iterable[Header]) -> tuple[int, bool]:
    """The bytes that `Content-Length` announces, and whether there is a body at all."""
    declared, chunked = 0, False
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            declared = int(value)
        elif name == b"transfer-encoding":
            chunked = True
    return declared, declared > 0 or chunked
