"""Webhook deliveries: lent to senders, settled, looked at, sent again."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from shared.connections import RedisPair, store_errors
from shared.request import WebhookEvent
from shared.settings import JobSettings
from shared.store import keys, records
from shared.store.scripts import Scripts, microseconds
from shared.store.webhook_route import endpoint_id


class DeliveryStatus(StrEnum):
    """`pending` until a try succeeds, the schedule ends or the endpoint is disabled."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    DISABLED = "disabled"


class Verdict(StrEnum):
    """What a try means for its delivery."""

    DELIVERED = "delivered"
    RETRY = "retry"
    FAILED = "failed"  # the schedule has ended
    GONE = "gone"  # the receiver wants nothing any more


class Try(BaseModel):
    """One try: when, in seconds since 1970, and the answer's status; None: no answer."""

    model_config = ConfigDict(frozen=True)

    at: float
    status: int | None


@dataclass(frozen=True)
class LentDelivery:
    """What a sender sends. `number` counts all tries; `round`, from 1, those of this schedule."""

    id: str
    owner: str
    url: str
    body: bytes
    number: int
    round: int
    traceparent: str | None


@dataclass(frozen=True)
class DeliveryRecord:
    """A delivery as its tenant may see it. Times in seconds since 1970."""

    id: str
    job_id: str
    type: str
    url: str
    status: DeliveryStatus
    created_at: float
    next_try_at: float | None
    tries: tuple[Try, ...]


class DeliveryStore:
    """Every method may raise StoreUnavailable."""

    def __init__(self, redis: RedisPair, settings: JobSettings) -> None:
        self._client = redis.durable
        self._scripts = Scripts(redis.durable, settings)

    def claim(self, limit: int, lease_seconds: float) -> list[LentDelivery]:
        """Up to `limit` due deliveries, as many a receiver and a tenant as may be in flight.

        Whoever does not settle one within its lease has lost it to the next caller.
        """
        answer = self._scripts("claim_deliveries", limit, microseconds(lease_seconds))
        return [_lent(delivery_id, records.pairs(flat)) for delivery_id, flat in answer]

    def settle(
        self,
        lent: LentDelivery,
        verdict: Verdict,
        tried: Try,
        *,
        pause_seconds: float,
        patience_seconds: float,
    ) -> DeliveryStatus | None:
        """Write down how a try went; None where it does not count any more.

        `pause_seconds` until the next try; an endpoint that has failed for `patience_seconds`
        is disabled.
        """
        status = self._scripts(
            "settle_delivery",
            lent.id,
            lent.number,
            verdict,
            tried.model_dump_json(),
            microseconds(pause_seconds),
            microseconds(patience_seconds),
        )
        return None if status == "lost" else DeliveryStatus(status)

    def pending(self) -> int:
        """How many are not done."""
        with store_errors():
            count: int = self._client.zcard(keys.PENDING_WEBHOOKS)
        return count

    def of_job(self, tenant: str, job_id: str) -> list[DeliveryRecord]:
        """The job's deliveries, the oldest first; those of other tenants' jobs are not there."""
        ids = [_delivery_id(job_id, event) for event in WebhookEvent]
        found = [record for record in self._read(tenant, ids) if record]
        return sorted(found, key=lambda record: record.created_at)

    def undelivered(self, tenant: str, status: DeliveryStatus, limit: int) -> list[DeliveryRecord]:
        """The tenant's newest deliveries that failed or were `disabled`, the last one first."""
        with store_errors():
            ids: Any = self._client.zrevrange(keys.undelivered(tenant, status), 0, limit - 1)
        return [record for record in self._read(tenant, ids) if record]

    def redeliver(self, tenant: str, delivery_id: str) -> DeliveryRecord | None:
        """Send it again now, from the start of the schedule; None where there is no such one."""
        if self._read(tenant, [delivery_id]) == [None]:
            return None
        self._scripts("redeliver", delivery_id)
        return self._read(tenant, [delivery_id])[0]

    def enable(self, tenant: str, url: str) -> None:
        """Let new events go to a disabled endpoint again. Raises OutboundRefused."""
        with store_errors():
            self._client.delete(keys.endpoint(endpoint_id(tenant, url)))

    def _read(self, tenant: str, ids: Sequence[str]) -> list[DeliveryRecord | None]:
        with store_errors():
            pipeline = self._client.pipeline(transaction=False)
            for delivery_id in ids:
                pipeline.hgetall(keys.delivery(delivery_id))
            found: list[dict[str, str]] = pipeline.execute()
            for delivery_id, fields in zip(ids, found, strict=True):
                pipeline.zscore(keys.deliveries_due(fields.get("target", "")), delivery_id)
            due = pipeline.execute()
        return [
            _record(delivery_id, fields, at) if fields.get("tenant") == tenant else None
            for delivery_id, fields, at in zip(ids, found, due, strict=True)
        ]


def _delivery_id(job_id: str, event: WebhookEvent) -> str:
    return f"msg_{job_id.removeprefix('job_')}_{event}"


def _lent(delivery_id: str, fields: dict[str, str]) -> LentDelivery:
    return LentDelivery(
        id=delivery_id,
        owner=fields["owner"],
        url=fields["url"],
        body=fields["body"].encode(),
        number=int(fields["tries"]),
        round=int(fields["round"]),
        traceparent=fields.get("traceparent"),
    )


def _record(delivery_id: str, fields: dict[str, str], due: Any) -> DeliveryRecord:
    lines = fields.get("log", "").splitlines()
    return DeliveryRecord(
        id=delivery_id,
        job_id=fields["job_id"],
        type=fields["type"],
        url=fields["url"],
        status=DeliveryStatus(fields["status"]),
        created_at=records.seconds(fields["created_at"]),
        next_try_at=due / 1e6 if due is not None else None,
        tries=tuple(Try.model_validate_json(line) for line in lines),
    )
