"""Who calls: an API key becomes a Caller; in open mode everybody is the one local tenant."""

import hashlib
import time
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security.utils import get_authorization_scheme_param

from api.failed_keys import FailedKeys
from api.settings import AuthMode
from shared.errors import Forbidden, Unauthorized
from shared.store.api_key import Caller, Scope
from shared.store.keyring import Keyring
from shared.store.signing import KEYLESS

LOCAL = Caller(tenant="local", key_id="open", scopes=frozenset(Scope), owner=KEYLESS)

# A verified key is trusted this long without asking Redis: the time a revocation takes.
TRUST_SECONDS = 5.0
TRUSTED_KEYS = 10_000


class Authenticator:
    """Turns a presented key into its Caller; used on the event loop alone."""

    def __init__(
        self, mode: AuthMode, keyring: Keyring, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._mode = mode
        self._keyring = keyring
        self._clock = clock
        self._failed = FailedKeys(clock)
        self._trusted: dict[bytes, tuple[float, Caller]] = {}

    async def caller(self, request: Request, scope: Scope | None = None) -> Caller:
        """Who the `Authorization` header says it is, if it may do what `scope` covers.

        Raises:
            Unauthorized: no key, or not one of ours.
            Forbidden: a good key without the scope.
            RateLimited: too many wrong keys came from that address.
            StoreUnavailable: the keys cannot be looked up.
        """
        if self._mode is AuthMode.OPEN:
            return LOCAL
        caller = await self._identify(request)
        if scope is not None and not caller.may(scope):
            raise Forbidden(f"the API key lacks the scope `{scope}`")
        return caller

    async def _identify(self, request: Request) -> Caller:
        kind, presented = get_authorization_scheme_param(request.headers.get("authorization"))
        if kind.lower() != "bearer" or not presented:
            raise Unauthorized("send an API key: `Authorization: Bearer tsk_...`")
        digest = hashlib.sha256(presented.encode()).digest()
        now = self._clock()
        trusted_until, trusted = self._trusted.get(digest, (0.0, None))
        if trusted is not None and trusted_until > now:
            return trusted
        address = request.client.host if request.client else ""
        # A key that was good is looked up whatever else comes from its address.
        if trusted is None:
            self._failed.admit(address)
        caller = await run_in_threadpool(self._keyring.verify, presented)
        if caller is None:
            self._trusted.pop(digest, None)
            self._failed.record(address)
            raise Unauthorized("the API key is unknown, expired or revoked")
        if len(self._trusted) >= TRUSTED_KEYS:
            self._trusted.clear()
        self._trusted[digest] = (now + TRUST_SECONDS, caller)
        return caller


class _Authenticated:
    """The dependency of a route that belongs to a tenant."""

    def __init__(self, scope: Scope | None) -> None:
        self._scope = scope

    async def __call__(self, request: Request) -> Caller:
        authenticator: Authenticator = request.app.state.services.authenticator
        return await authenticator.caller(request, self._scope)


AnyCaller = Annotated[Caller, Depends(_Authenticated(None))]
Reader = Annotated[Caller, Depends(_Authenticated(Scope.JOBS_READ))]
Writer = Annotated[Caller, Depends(_Authenticated(Scope.JOBS_WRITE))]
WebhookKeeper = Annotated[Caller, Depends(_Authenticated(Scope.WEBHOOKS))]
