"""Who calls: an API key becomes a Caller; in open mode everybody is the one local tenant."""

import hashlib
import time
from typing import Annotated

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security.utils import get_authorization_scheme_param

from api.settings import AuthMode
from shared.errors import Forbidden, Unauthorized
from shared.store.keyring import Caller, Keyring
from shared.store.signing import KEYLESS

SCOPE = "jobs"
LOCAL = Caller(tenant="local", key_id="open", scopes=frozenset({SCOPE}), owner=KEYLESS)

# A verified key is trusted this long without asking Redis: the time a revocation takes.
TRUST_SECONDS = 5.0
TRUSTED_KEYS = 10_000


class Authenticator:
    """Turns a presented key into its Caller; used on the event loop alone."""

    def __init__(self, mode: AuthMode, keyring: Keyring) -> None:
        self._mode = mode
        self._keyring = keyring
        self._trusted: dict[bytes, tuple[float, Caller]] = {}

    async def caller(self, authorization: str | None) -> Caller:
        """Who the `Authorization` header says it is.

        Raises:
            Unauthorized: no key, or not one of ours.
            Forbidden: a good key without the scope.
            StoreUnavailable: the keys cannot be looked up.
        """
        if self._mode is AuthMode.OPEN:
            return LOCAL
        scheme, presented = get_authorization_scheme_param(authorization)
        if scheme.lower() != "bearer" or not presented:
            raise Unauthorized("send an API key: `Authorization: Bearer tsk_...`")
        digest = hashlib.sha256(presented.encode()).digest()
        now = time.monotonic()
        trusted = self._trusted.get(digest)
        if trusted is not None and trusted[0] > now:
            return trusted[1]
        caller = await run_in_threadpool(self._keyring.verify, presented)
        if caller is None:
            raise Unauthorized("the API key is unknown, expired or revoked")
        if SCOPE not in caller.scopes:
            raise Forbidden(f"the API key lacks the scope `{SCOPE}`")
        if len(self._trusted) >= TRUSTED_KEYS:
            self._trusted.clear()
        self._trusted[digest] = (now + TRUST_SECONDS, caller)
        return caller


async def authenticate(request: Request) -> Caller:
    """The dependency of every route that belongs to a tenant."""
    authenticator: Authenticator = request.app.state.services.authenticator
    return await authenticator.caller(request.headers.get("authorization"))


CurrentCaller = Annotated[Caller, Depends(authenticate)]
