"""A small receiver of webhooks on loopback, to see what a service sends."""

import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from shared.signature import is_signed

HOST = "127.0.0.1"
MAX_BYTES = 64 * 1024
READ_SECONDS = 10


class WebhookReceiver(ThreadingHTTPServer):
    """Takes what is signed with `secret`, refuses the rest, and says either in one line."""

    def __init__(self, port: int, secret: str, say: Callable[[str], None]) -> None:
        """Raises OSError where the port is taken."""
        super().__init__((HOST, port), _Handler)
        self.secret = secret
        self.say = say

    @property
    def url(self) -> str:
        """What to give a job as its webhook's URL."""
        return f"http://{HOST}:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: WebhookReceiver
    timeout = READ_SECONDS

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > MAX_BYTES:
            self._end(413, "refused: no length, or too long a body")
            return
        body = self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if is_signed(headers, body, self.server.secret, time.time()):
            self._end(204, describe(json.loads(body)))
        else:
            self._end(401, "refused: not signed with this secret")

    def _end(self, status: int, line: str) -> None:
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()
        self.server.say(line)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: each request has its line already."""


def describe(event: dict[str, Any]) -> str:
    """One line: what happened when, to which job, and where its pictures are."""
    data = event["data"]
    links = [image["url"] for image in data["images"]]
    error = [data["error"]["detail"]] if data["error"] else []
    return "  ".join([event["timestamp"], event["type"], data["id"], *links, *error])
