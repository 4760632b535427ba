"""API keys: `tsk_<id>_<secret>`, of which only the secret's SHA-256 is kept."""

import hashlib
import hmac
import math
import re
import secrets
from collections.abc import Iterable

import redis

from shared.connections import store_errors
from shared.errors import InvalidRequest, NotFound
from shared.outbound.target import parse_target
from shared.store import keys
from shared.store.api_key import ApiKey, Caller, Scope
from shared.store.limits import CostLimit, key_limit
from shared.store.signing import SigningSecrets

ROTATION_SECONDS = 86_400.0
BURST_SECONDS = 60.0

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")  # also a folder in S3, part of Redis keys
_PRESENTED = re.compile(r"tsk_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
_NOBODY = hashlib.sha256(b"").hexdigest()  # of no secret: a secret has 43 characters


class Keyring:
    """Makes, checks and ends API keys. Redis ends the expired ones by itself."""

    def __init__(self, client: redis.Redis) -> None:
        """`client` is the durable server's."""
        self._client = client
        self._signing = SigningSecrets(client)

    def create(
        self,
        tenant: str,
        scopes: Iterable[str],
        expires_in: float | None = None,
        *,
        webhook_url: str | None = None,
        cost_per_second: float | None = None,
        cost_burst: float | None = None,
    ) -> tuple[ApiKey, str]:
        """A new key and its whole text, which nobody can read again. `expires_in` in seconds.

        With a `cost_per_second` it has a limit of its own; the burst is a minute's, unless told.

        Raises:
            InvalidRequest: a tenant's name, a scope, a webhook's URL or a limit that cannot be.
        """
        wanted = frozenset(scopes)
        if not _TENANT.fullmatch(tenant):
            raise InvalidRequest("a tenant is 1 to 64 letters, digits, `-` and `_`")
        if not wanted or not wanted <= frozenset(Scope):
            raise InvalidRequest(f"scopes are: {', '.join(Scope)}")
        if webhook_url is not None:
            parse_target(webhook_url)
        fields = {"tenant": tenant, "scopes": " ".join(sorted(wanted))}
        if webhook_url is not None:
            fields["webhook_url"] = webhook_url
        if cost_per_second is not None:
            burst = cost_per_second * BURST_SECONDS if cost_burst is None else cost_burst
            if not 0 < cost_per_second < math.inf or not 0 < burst < math.inf:
                raise InvalidRequest("a limit's rate and burst are numbers above zero")
            fields |= {"cost_per_second": repr(cost_per_second), "cost_burst": repr(burst)}
        elif cost_burst is not None:
            raise InvalidRequest("a burst belongs to a rate: give both")
        return self._add(fields, expires_in)

    def _add(self, fields: dict[str, str], expires_in: float | None) -> tuple[ApiKey, str]:
        key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        name = keys.api_key(key_id)
        fields = {"owner": key_id, **fields, "sha256": _sha256(secret)}
        self._signing.ensure(fields["owner"])
        pipeline = self._client.pipeline()
        pipeline.hset(name, items=[text for pair in fields.items() for text in pair])
        pipeline.sadd(keys.API_KEYS, key_id)
        if expires_in is not None:
            pipeline.pexpire(name, round(expires_in * 1000))
        pipeline.pexpiretime(name)
        with store_errors():
            expires_ms = pipeline.execute()[-1]
        return _record(key_id, fields, expires_ms), f"tsk_{key_id}_{secret}"

    def verify(self, presented: str) -> Caller | None:
        """Who the key stands for; None for an unknown, wrong, revoked or expired one."""
        match = _PRESENTED.fullmatch(presented)
        key_id, secret = match.groups() if match else ("", "")
        with store_errors():
            fields: dict[str, str] = self._client.hgetall(keys.api_key(key_id))  # type: ignore[assignment]
        # An unknown id costs the same comparison, so that time tells nothing.
        if not hmac.compare_digest(_sha256(secret), fields.get("sha256", _NOBODY)) or not fields:
            return None
        return Caller(
            fields["tenant"],
            key_id,
            _scopes(fields),
            fields["owner"],
            fields.get("webhook_url"),
            _limit(fields),
        )

    def list(self) -> tuple[ApiKey, ...]:
        """All live keys, by tenant and id."""
        with store_errors():
            ids = [str(member) for member in self._client.smembers(keys.API_KEYS)]
            pipeline = self._client.pipeline(transaction=False)
            for key_id in ids:
                pipeline.hgetall(keys.api_key(key_id))
                pipeline.pexpiretime(keys.api_key(key_id))
            answers = pipeline.execute()
            ended = [key_id for key_id, fields in zip(ids, answers[::2], strict=True) if not fields]
            if ended:
                self._client.srem(keys.API_KEYS, *ended)
        found = zip(ids, answers[::2], answers[1::2], strict=True)
        live = [_record(key_id, fields, expires) for key_id, fields, expires in found if fields]
        return tuple(sorted(live, key=lambda key: (key.tenant, key.id)))

    def get(self, key_id: str) -> ApiKey:
        """One live key. Raises NotFound."""
        found = next((key for key in self.list() if key.id == key_id), None)
        if found is None:
            raise NotFound("no such API key")
        return found

    def revoke(self, key_id: str) -> bool:
        """End a key now; False where there is none.

        The secret of its webhooks signs those that are under way, and then ends, too.
        """
        owners = {key.id: key.owner for key in self.list()}
        owner = owners.pop(key_id, None)
        if owner is None:
            return False
        if owner not in owners.values():
            self._signing.retire(owner)
        pipeline = self._client.pipeline()
        pipeline.delete(keys.api_key(key_id))
        pipeline.srem(keys.API_KEYS, key_id)
        with store_errors():
            pipeline.execute()
        return True

    def rotate(
        self,
        key_id: str,
        overlap: float = ROTATION_SECONDS,
        *,
        expires_in: float | None = None,
    ) -> tuple[ApiKey, str]:
        """A new key like that one, which itself goes on for at most `overlap` seconds.

        Raises:
            NotFound: there is no such key.
        """
        name = keys.api_key(key_id)
        with store_errors():
            fields: dict[str, str] = self._client.hgetall(name)  # type: ignore[assignment]
        if not fields:
            raise NotFound("no such API key")
        created = self._add(fields, expires_in)
        with store_errors():
            # LT keeps an earlier end, and takes "never" for later than any.
            self._client.pexpire(name, round(overlap * 1000), lt=True)
        return created


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _record(key_id: str, fields: dict[str, str], expires_ms: int) -> ApiKey:
    return ApiKey(
        key_id,
        fields["tenant"],
        _scopes(fields),
        expires_ms / 1000 if expires_ms > 0 else None,
        fields["owner"],
        fields.get("webhook_url"),
        _limit(fields),
    )


def _scopes(fields: dict[str, str]) -> frozenset[Scope]:
    return frozenset(map(Scope, fields["scopes"].split()))


def _limit(fields: dict[str, str]) -> CostLimit | None:
    if "cost_per_second" not in fields:
        return None
    rate, burst = float(fields["cost_per_second"]), float(fields["cost_burst"])
    return key_limit(fields["owner"], rate, burst)
