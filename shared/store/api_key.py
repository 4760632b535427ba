"""What an API key is without its secret, what it may do, and who it stands for."""

from dataclasses import dataclass
from enum import StrEnum

from shared.store.limits import CostLimit


class Scope(StrEnum):
    """What a key may do, always within its own tenant."""

    JOBS_READ = "jobs:read"  # jobs, their events and pictures, inputs
    JOBS_WRITE = "jobs:write"  # submit, cancel, delete, send inputs
    WEBHOOKS = "webhooks"  # the delivery log, redelivery, endpoints
    ADMIN = "admin"  # all of these


USUAL_SCOPES = frozenset({Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.WEBHOOKS})


@dataclass(frozen=True)
class ApiKey:
    """One key. `expires_at` in seconds since 1970; None: never.

    `owner` is the first of the keys that replaced each other: they share their webhooks' secrets
    and their limit. Without a `limit` of its own a key shares its tenant's.
    """

    id: str
    tenant: str
    scopes: frozenset[Scope]
    expires_at: float | None
    owner: str
    webhook_url: str | None = None
    limit: CostLimit | None = None


@dataclass(frozen=True)
class Caller:
    """Who a good key stands for.

    `owner` names the secrets of its webhooks; `webhook_url` is where they go by default.
    """

    tenant: str
    key_id: str
    scopes: frozenset[Scope]
    owner: str
    webhook_url: str | None = None
    limit: CostLimit | None = None

    def may(self, scope: Scope) -> bool:
        """Whether the key has the scope."""
        return scope in self.scopes or Scope.ADMIN in self.scopes
