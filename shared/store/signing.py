"""The secrets that sign webhooks: one an owner, and for a while after a rotation two."""

import redis

from shared.connections import store_errors
from shared.signature import new_secret
from shared.store import keys

ROTATION_SECONDS = 7 * 86_400.0  # longer than any delivery is tried
KEYLESS = "open"  # the owner of all jobs where nobody shows a key


class SigningSecrets:
    """An owner is the first of the API keys that replaced each other, or KEYLESS."""

    def __init__(self, client: redis.Redis) -> None:
        """`client` is the durable server's."""
        self._client = client

    def ensure(self, owner: str) -> None:
        """See to it that the owner has a secret."""
        with store_errors():
            self._client.set(keys.signing(owner), new_secret(), nx=True)

    def adopt(self, owner: str, secret: str) -> None:
        """Sign with this secret from now on; another one that signed before signs along."""
        if self.of(owner)[:1] != (secret,):
            self._replace(owner, secret, ROTATION_SECONDS)

    def of(self, owner: str) -> tuple[str, ...]:
        """The secrets to sign with now, the newest first; none for an unknown owner."""
        with store_errors():
            found = self._client.mget(keys.signing(owner), keys.former_signing(owner))
        return tuple(str(secret) for secret in found if secret)

    def retire(self, owner: str) -> None:
        """Let the owner's secret end once nothing can be under way any more."""
        with store_errors():
            self._client.pexpire(keys.signing(owner), round(ROTATION_SECONDS * 1000))

    def rotate(self, owner: str, overlap: float = ROTATION_SECONDS) -> str:
        """A new secret; the former one signs along for `overlap` seconds."""
        secret = new_secret()
        self._replace(owner, secret, overlap)
        return secret

    def _replace(self, owner: str, secret: str, overlap: float) -> None:
        with store_errors():
            former = self._client.get(keys.signing(owner))
            pipeline = self._client.pipeline()
            if former is not None:
                name = keys.former_signing(owner)
                pipeline.set(name, str(former), px=round(overlap * 1000))
            pipeline.set(keys.signing(owner), secret)
            pipeline.execute()
