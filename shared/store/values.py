"""What goes into the store and comes out of it."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from shared.errors import LimitState
from shared.job import Job, JobWarning
from shared.request import GenerationRequest, Priority, WebhookEvent
from shared.store.limits import CostLimit


class Outcome(StrEnum):
    """Whether a write by an attempt counted."""

    OK = "ok"
    LOST = "lost"  # the attempt no longer owns the job; nothing was changed


class WebhookRoute(BaseModel):
    """Where a job's webhooks go, for the scripts that write them.

    `target` is a host and port of one tenant, `endpoint` a URL without its query: digests.

    `owner` names the secrets that sign; `location` is the job's address at the gateway; `request`
    is the part of the request, as JSON, that bodies show.
    """

    model_config = ConfigDict(frozen=True)

    url: str
    events: tuple[WebhookEvent, ...]
    owner: str
    target: str
    endpoint: str
    location: str
    request: str


@dataclass(frozen=True)
class NewJob:
    """A job to be accepted; its cost counts towards `limit`; `traceparent`: its trace."""

    id: str
    tenant: str
    request: GenerationRequest
    warnings: tuple[JobWarning, ...] = ()
    webhook: WebhookRoute | None = None
    limit: CostLimit | None = None
    traceparent: str | None = None


@dataclass(frozen=True)
class Idempotency:
    """The client's key, and the SHA-256 of the body as it was sent, in hexadecimal."""

    key: str
    fingerprint: str


@dataclass(frozen=True)
class Ahead:
    """About how many jobs of one model go before another, and their cost."""

    model: str
    jobs: float
    cost: float


@dataclass(frozen=True)
class Created:
    """An accepted job; `job` is None where an earlier one is replayed: read that one's record.

    `limit` is what remains after it.
    """

    job_id: str
    replayed: bool
    job: Job | None = None
    ahead: tuple[Ahead, ...] = ()
    limit: LimitState | None = None


@dataclass(frozen=True)
class Claim:
    """A job lent to an attempt. `job.images` were done by earlier attempts: skip those.

    A suspect was in flight when a worker died, more than once: it runs alone.
    """

    job: Job
    attempt_id: str
    suspect: bool


@dataclass(frozen=True)
class Beat:
    """Attempt ids that own nothing any more, and whether the worker's record was still there.

    A worker whose record is gone (after an outage) announces itself again.
    """

    lost: frozenset[str]
    cancelled: frozenset[str]
    announced: bool


@dataclass(frozen=True)
class Reaped:
    """Job ids that were taken back, and the tickets that the queued ones want."""

    requeued: tuple[str, ...]
    failed: tuple[str, ...]
    tickets: Counter[tuple[str, Priority]] = field(default_factory=Counter)


@dataclass(frozen=True)
class StoredInput:
    """An input picture that lies in S3. `bytes` is what was sent; `expires_at` in Redis' time."""

    id: str
    width: int
    height: int
    bytes: int
    expires_at: float


@dataclass(frozen=True)
class LaneState:
    """What waits in one lane. `cost` as in GenerationRequest.cost."""

    jobs: int
    cost: float
    oldest_seconds: float


@dataclass(frozen=True)
class Sweep:
    """An ended attempt's object prefix, and the keys under it that the job's record names."""

    prefix: str
    keep: frozenset[str]
