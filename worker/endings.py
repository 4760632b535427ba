"""How an attempt ends without a commit: it expires, is given up, or fails."""

import logging
from typing import NoReturn

from shared.errors import JobFailure, StorageUnavailable, StoreUnavailable
from shared.job import JobError, JobStatus
from shared.store.values import Outcome
from worker.attempts import Attempt, AttemptEnded, Ending
from worker.persistence import persist
from worker.stages import Stages
from worker.workshop import Workshop

log = logging.getLogger(__name__)

DEADLINE_SECONDS = 0.05  # between two looks, should the store's clock be behind ours


def expire(shop: Workshop, attempt: Attempt) -> NoReturn:
    """The deadline has passed by our clock: the job expires as soon as it has by the store's."""
    job = attempt.job
    while not persist(attempt, lambda: shop.store.expire(job.id)):
        attempt.pause(DEADLINE_SECONDS)
    attempt.end(Ending.CANCELED)
    shop.metrics.jobs_finished.labels(job.request.model, JobStatus.EXPIRED).inc()
    raise AttemptEnded


def give_up(shop: Workshop, attempt: Attempt) -> None:
    """A job that is cancelled or another's needs nothing; any other goes back to the queue."""
    ending = attempt.ending or Ending.RELEASED
    log.info("attempt ended", extra={"attempt": attempt.attempt_id, "ending": ending})
    if ending is Ending.CANCELED:
        shop.checkpointer.forget(attempt)
    if ending is not Ending.RELEASED:
        return
    try:
        shop.store.release(attempt.job.id, attempt.attempt_id)
        _send_ticket(shop, attempt)
    except StoreUnavailable:
        log.warning("the job could not be released; its lease will run out")


def fail(
    shop: Workshop, attempt: Attempt, failure: JobFailure | StorageUnavailable, stages: Stages
) -> None:
    job = attempt.job
    shop.metrics.job_errors.labels(failure.code).inc()
    log.warning("attempt failed", extra={"attempt": attempt.attempt_id, "code": failure.code})
    error = JobError(code=failure.code, detail=failure.detail, retryable=failure.retryable)
    try:
        outcome = persist(
            attempt,
            lambda: shop.store.fail(job.id, attempt.attempt_id, error, timing=stages.timing()),
        )
        record = shop.store.get(job.id)
    except (AttemptEnded, StoreUnavailable):
        return
    if outcome is Outcome.LOST or record is None:
        return
    if record.status is JobStatus.FAILED:
        shop.checkpointer.forget(attempt)
        shop.metrics.jobs_finished.labels(job.request.model, JobStatus.FAILED).inc()
    else:
        _send_ticket(shop, attempt)


def _send_ticket(shop: Workshop, attempt: Attempt) -> None:
    request = attempt.job.request
    try:
        shop.tickets.send(request.model, request.priority)
    except StoreUnavailable:
        log.warning("no ticket could be sent; the keeper will send one")
