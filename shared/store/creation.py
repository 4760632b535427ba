"""What `create` sends to its script, and what the script's answers mean."""

from typing import Any

import redis

from shared.connections import store_errors
from shared.errors import (
    IdempotencyMismatch,
    QueueFull,
    QuotaExceeded,
    RateLimited,
    StoreUnavailable,
    TesseraError,
)
from shared.job import Job, JobStatus, Progress
from shared.store import keys, records
from shared.store.limits import CostLimit
from shared.store.reading import MISMATCH
from shared.store.scripts import microseconds
from shared.store.values import Created, Idempotency, NewJob


def arguments(new: NewJob, idempotency: Idempotency | None) -> list[str | int | float]:
    """The script's arguments."""
    request = new.request
    deadline = request.deadline_seconds
    return [
        new.id,
        new.tenant,
        request.model,
        request.priority,
        request.cost,
        request.num_images,
        request.model_dump_json(),
        "" if deadline is None else microseconds(deadline),
        keys.idempotency(new.tenant, idempotency.key) if idempotency else "",
        idempotency.fingerprint if idempotency else "",
        new.webhook.model_dump_json() if new.webhook else "",
        *(_limit(new.limit) if new.limit else ("", "", "")),
        new.traceparent or "",
        *(warning.model_dump_json() for warning in new.warnings),
    ]


def _limit(limit: CostLimit) -> tuple[str, float, float]:
    return limit.name, 1e6 / limit.per_second, limit.burst


def outcome(new: NewJob, answer: Any) -> Created | TesseraError:
    """The script's answer, or Redis' refusal to run it."""
    if isinstance(answer, redis.ResponseError):
        try:
            with store_errors():
                raise answer
        except StoreUnavailable as error:
            return error
    kind, *detail = answer
    match kind:
        case "mismatch":
            return IdempotencyMismatch(MISMATCH)
        case "too_many":
            waiting = float(detail[0])
            return QuotaExceeded("you have as many jobs queued as you may", waiting_cost=waiting)
        case "too_dear":
            waiting = float(detail[0])
            return QuotaExceeded("you have as much work queued as you may", waiting_cost=waiting)
        case "full":
            return QueueFull("the queue is full", waiting_cost=float(detail[0]))
        case "too_fast":
            assert new.limit is not None
            wait, owed = (float(number) for number in detail)
            state = new.limit.state(owed)
            return RateLimited(
                "you submit faster than you may", retry_after=wait / 1e6, limit=state
            )
        case "replayed":
            return Created(detail[0], replayed=True)
    job = Job(
        id=new.id,
        tenant=new.tenant,
        status=JobStatus.QUEUED,
        request=new.request,
        created_at=records.seconds(detail[0]),
        warnings=new.warnings,
        progress=Progress(steps=new.request.steps),
    )
    limit = new.limit.state(float(detail[2])) if new.limit else None
    return Created(new.id, replayed=False, job=job, ahead=records.ahead(detail[1]), limit=limit)
