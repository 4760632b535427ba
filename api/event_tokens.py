"""Short-lived tokens for one job's events: browsers' EventSource sends no API key.

A token is the time it ends and an HMAC over that time and the job's id, in base64.
"""

import base64
import binascii
import hmac
import secrets
import time

import redis

from shared.connections import store_errors

SECRET_KEY = "tessera:link_secret"  # noqa: S105 - a key's name, not a secret
LIFE_SECONDS = 3600
MAC_BYTES = 16


class EventTokens:
    """Makes and checks tokens. Every gateway of one store has the same secret."""

    def __init__(self, client: redis.Redis, configured: str | None) -> None:
        self._client = client
        self._secret = configured.encode() if configured is not None else None

    def issue(self, job_id: str) -> str:
        """A token for the events of that job."""
        ends = (int(time.time()) + LIFE_SECONDS).to_bytes(4)
        return base64.urlsafe_b64encode(ends + self._mac(job_id, ends)).decode().rstrip("=")

    def accepts(self, job_id: str, token: str) -> bool:
        """Whether `token` is one of ours for that job, and has not ended."""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return False
        ends, mac = raw[:4], raw[4:]
        if not hmac.compare_digest(mac, self._mac(job_id, ends)):
            return False
        return int.from_bytes(ends) > time.time()

    def _mac(self, job_id: str, ends: bytes) -> bytes:
        message = b"events:" + job_id.encode() + b":" + ends
        return hmac.digest(self._shared_secret(), message, "sha256")[:MAC_BYTES]

    def _shared_secret(self) -> bytes:
        if self._secret is None:
            # The first gateway makes it, every other one reads what that one made.
            with store_errors():
                self._client.set(SECRET_KEY, secrets.token_hex(32), nx=True)
                secret = self._client.get(SECRET_KEY)
            assert isinstance(secret, str)
            self._secret = secret.encode()
        return self._secret
