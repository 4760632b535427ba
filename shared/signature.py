"""Signatures of webhooks, as Standard Webhooks 1.0 has them."""

import base64
import hashlib
import hmac
import secrets
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence

PREFIX = "whsec_"
SECRET_BYTES = 32
TOLERANCE_SECONDS = 300.0


def new_secret() -> str:
    """`whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def is_secret(text: str) -> bool:
    """Whether `text` is `whsec_` and 24 to 64 bytes in base64."""
    try:
        return text.startswith(PREFIX) and 24 <= len(_key(text)) <= 64
    except Base64Error:
        return False


def signed_headers(
    message_id: str, body: bytes, signing: Sequence[str], now: float
) -> dict[str, str]:
    """The three headers; one signature a secret. `now` in seconds since 1970."""
    timestamp = str(int(now))
    signatures = (_sign(secret, message_id, timestamp, body) for secret in signing)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def is_signed(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> bool:
    """Whether one of the signatures is the secret's, and the timestamp a recent one."""
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    expected = _sign(secret, headers.get("webhook-id", ""), timestamp, body)
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(expected.encode(), one.encode()) for one in given)


def _sign(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    content = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.digest(_key(secret), content, hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode()


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
