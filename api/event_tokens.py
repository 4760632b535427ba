"""Short-lived tokens for one job's events: browsers' EventSource sends no API key.

A token is the time it ends and an HMAC over that time and the job's id, in base64.
"""

import base64
import binascii
import hmac
import time

import redis

from shared.store.link_secret import link_secret

LIFE_SECONDS = 3600
MAC_BYTES = 16


class EventTokens:
    """Makes and checks tokens. Every gateway of one store has the same secret."""

    def __init__(
        self, client: redis.Redis, configured: str | None, life_seconds: int = LIFE_SECONDS
    ) -> None:
        self._client = client
        self._life_seconds = life_seconds
        self._secret = configured.encode() if configured is not None else None

    def load_secret(self) -> None:
        """Read the secret now, so that nobody waits for it later. Raises StoreUnavailable."""
        self._shared_secret()

    def issue(self, job_id: str) -> str:
        """A token for the events of that job."""
        ends = (int(time.time()) + self._life_seconds).to_bytes(4)
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
            self._secret = link_secret(self._client).encode()
        return self._secret
