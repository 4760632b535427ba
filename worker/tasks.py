"""One job's life in the worker, from the claim to the commit: `generate` reads top to bottom."""

import logging
import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import numpy as np

from shared.errors import (
    InternalError,
    JobFailure,
    NotReady,
    StorageUnavailable,
    StoreUnavailable,
)
from shared.ids import attempt_prefix
from shared.job import JobError, JobStatus, JobWarning, StoredImage
from shared.logging import job_id as logged_job_id
from shared.objects import ObjectStore
from shared.queue import TicketQueue
from shared.store.job_store import JobStore
from shared.store.values import Outcome
from worker.attempts import Attempt, AttemptEnded, Ending
from worker.compressors import Compressors
from worker.engine.engine import Engine
from worker.engine.sample import EngineStopped, Kind, Sample, SampleCanceled
from worker.engine.stepper import DeviceLost
from worker.flight_record import FlightRecord
from worker.inputs import Inputs, fetch_inputs
from worker.metrics import WorkerMetrics
from worker.models.resident import ResidentModel
from worker.models.safety import SafetyChecker
from worker.pace import Pacer
from worker.pictures import EncodedPicture
from worker.stages import Stages

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
DEADLINE_SECONDS = 0.05  # between two looks, should the store's clock be behind ours

T = TypeVar("T")


@dataclass(frozen=True)
class Workshop:
    """Everything that a job needs."""

    store: JobStore
    objects: ObjectStore
    tickets: TicketQueue
    engine: Engine
    compressors: Compressors
    models: Mapping[str, ResidentModel]
    record: FlightRecord
    metrics: WorkerMetrics
    pacer: Pacer
    storage_patience_seconds: float
    safety: SafetyChecker | None = None


def generate(shop: Workshop, attempt: Attempt, stages: Stages) -> None:
    """Make the job's missing pictures, tell each as soon as it is stored, and commit.

    Raises:
        AttemptEnded, SampleCanceled: the attempt was told to end.
        EngineStopped, DeviceLost: the process is about to end.
        JobFailure, StorageUnavailable: the attempt has failed.
    """
    job, request = attempt.job, attempt.job.request
    model = shop.models[request.model]
    done = frozenset(image.index for image in job.images)

    with stages.stage("prepare"):
        inputs = _fetch_inputs(shop, attempt)
    with stages.stage("prepare"), shop.record.in_hands(job.id):
        samples, notes = model.prepare(
            job.id,
            request,
            attempt.sequence,
            _kind(attempt),
            done,
            inputs.fitted(request.width, request.height),
        )
    _submit(shop, attempt, samples)
    shop.pacer.prepared(request.model, time.monotonic() - attempt.began)

    finished_size = inputs.fitted(*request.size)
    for sample in _as_finished(shop, attempt, stages):
        if sample.later_ticks:
            with stages.stage("prepare"), shop.record.in_hands(job.id):
                second = model.prepare_second(sample, request, finished_size)
            _submit(shop, attempt, [second])
            continue
        finished_at = time.monotonic()
        with stages.stage("decode"), shop.record.in_hands(job.id):
            pixels = finished_size.composite(model.decode(sample.finished.result()))
            if shop.safety is not None and shop.safety.flags(pixels):
                pixels = np.zeros_like(pixels)
                notes.append(("content_flagged", f"image {sample.index} was made black"))
        with stages.stage("encode"):
            picture = shop.compressors.encode(pixels, request, sample.index)
        with stages.stage("upload"):
            _store_picture(shop, attempt, sample.index, picture)
        shop.pacer.stored(request.model, time.monotonic() - finished_at)
        attempt.images_done += 1
        shop.metrics.images.inc()

    warnings = [JobWarning(code=code, detail=detail) for code, detail in notes]
    outcome = _persist(
        attempt,
        lambda: shop.store.commit(
            job.id, attempt.attempt_id, timing=stages.timing(), warnings=warnings
        ),
    )
    if outcome is Outcome.LOST:
        raise AttemptEnded


def work(shop: Workshop, attempt: Attempt) -> None:
    """Do one attempt, and write down how it ended; never raises."""
    job = attempt.job
    logged_job_id.set(job.id)
    assert job.claimed_at is not None
    stages = Stages(shop.metrics, job.claimed_at - job.created_at)
    shop.metrics.queue_seconds.observe(job.claimed_at - job.created_at)
    log.info("attempt begins", extra={"attempt": attempt.attempt_id, "model": job.request.model})
    try:
        with shop.record.aboard(job.id):
            generate(shop, attempt, stages)
    except (AttemptEnded, SampleCanceled):
        shop.engine.cancel(job.id)
        _give_up(shop, attempt)
    except (EngineStopped, DeviceLost) as error:
        # The supervisor takes the job back, with the flight record in hand.
        log.error("the engine is gone: %s", type(error).__name__)
    except (JobFailure, StorageUnavailable) as error:
        shop.engine.cancel(job.id)
        _fail(shop, attempt, error, stages)
    except Exception:  # a defect in one job must not cost the worker's others
        log.exception("the attempt failed")
        shop.engine.cancel(job.id)
        _fail(shop, attempt, InternalError("the worker could not finish this job"), stages)
    else:
        shop.metrics.jobs_finished.labels(job.request.model, JobStatus.SUCCEEDED).inc()
        shop.metrics.job_seconds.observe(stages.total_seconds)
        log.info("job succeeded", extra=stages.timing().model_dump(exclude_none=True))


def _kind(attempt: Attempt) -> Kind:
    if attempt.suspect:
        return Kind.SUSPECT
    return Kind.REPRODUCIBLE if attempt.job.request.reproducible else Kind.ORDINARY


def _fetch_inputs(shop: Workshop, attempt: Attempt) -> Inputs:
    job = attempt.job
    return _persist(
        attempt,
        lambda: fetch_inputs(shop.objects, job.tenant, job.request),
        shop.storage_patience_seconds,
    )


def _submit(shop: Workshop, attempt: Attempt, samples: Sequence[Sample]) -> None:
    attempt.samples = [*attempt.samples, *samples]
    shop.engine.submit(samples)
    if attempt.ending is not None:
        shop.engine.cancel(attempt.job.id)  # told to end before there was anything to cancel


def _as_finished(shop: Workshop, attempt: Attempt, stages: Stages) -> Iterator[Sample]:
    """The attempt's samples, those too that are submitted meanwhile.

    Raises:
        AttemptEnded: the deadline has passed; the job has expired.
    """
    seen: set[Sample] = set()
    while waiting := {one.finished: one for one in attempt.samples if one not in seen}:
        with stages.stage("denoise"):
            done = _first_finished(shop, attempt, waiting)
        for future, sample in waiting.items():
            if future in done:
                seen.add(sample)
                yield sample


def _first_finished(
    shop: Workshop, attempt: Attempt, waiting: Collection[Future[Any]]
) -> set[Future[Any]]:
    done, _ = wait(waiting, attempt.seconds_left(), FIRST_COMPLETED)
    if not done:
        _expire(shop, attempt)
    return done


def _expire(shop: Workshop, attempt: Attempt) -> NoReturn:
    """The deadline has passed by our clock: the job expires as soon as it has by the store's."""
    job = attempt.job
    while not _persist(attempt, lambda: shop.store.expire(job.id)):
        attempt.pause(DEADLINE_SECONDS)
    attempt.end(Ending.CANCELED)
    shop.metrics.jobs_finished.labels(job.request.model, JobStatus.EXPIRED).inc()
    raise AttemptEnded


def _store_picture(shop: Workshop, attempt: Attempt, index: int, picture: EncodedPicture) -> None:
    job, request = attempt.job, attempt.job.request
    prefix = attempt_prefix(job.tenant, job.id, attempt.attempt_id)
    key = f"{prefix}{index}.{picture.extension}"
    image = StoredImage(
        index=index,
        key=key,
        seed=request.image_seed(index),
        width=request.size[0],
        height=request.size[1],
        format=request.output.format,
        bytes=len(picture.data),
        sha256=picture.sha256,
    )
    _persist(
        attempt,
        lambda: shop.objects.put(key, picture.data, picture.content_type),
        shop.storage_patience_seconds,
    )
    outcome = _persist(attempt, lambda: shop.store.add_image(job.id, attempt.attempt_id, image))
    if outcome is Outcome.LOST:
        with suppress(StorageUnavailable):  # the store has noted the attempt for a sweep
            shop.objects.delete_prefix(key)
        raise AttemptEnded


def _persist(
    attempt: Attempt, operation: Callable[[], T], patience_seconds: float = float("inf")
) -> T:
    """The operation's result; Redis and S3 are waited for while the attempt may go on.

    Raises:
        AttemptEnded: the attempt was told to end, before or meanwhile.
        StoreUnavailable, StorageUnavailable: the patience is at its end.
    """
    patient_until = time.monotonic() + patience_seconds
    pause = FIRST_PAUSE_SECONDS
    while True:
        attempt.pause(0)
        try:
            return operation()
        except NotReady as error:
            if time.monotonic() > patient_until:
                raise
            log.warning("waiting: %s", error.detail)
        attempt.pause(pause * random.uniform(0.5, 1.0))
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def _give_up(shop: Workshop, attempt: Attempt) -> None:
    """A job that is cancelled or another's needs nothing; any other goes back to the queue."""
    ending = attempt.ending or Ending.RELEASED
    log.info("attempt ended", extra={"attempt": attempt.attempt_id, "ending": ending})
    if ending is not Ending.RELEASED:
        return
    try:
        shop.store.release(attempt.job.id, attempt.attempt_id)
        _send_ticket(shop, attempt)
    except StoreUnavailable:
        log.warning("the job could not be released; its lease will run out")


def _fail(
    shop: Workshop, attempt: Attempt, failure: JobFailure | StorageUnavailable, stages: Stages
) -> None:
    job = attempt.job
    shop.metrics.job_errors.labels(failure.code).inc()
    log.warning("attempt failed", extra={"attempt": attempt.attempt_id, "code": failure.code})
    error = JobError(code=failure.code, detail=failure.detail, retryable=failure.retryable)
    try:
        outcome = _persist(
            attempt,
            lambda: shop.store.fail(job.id, attempt.attempt_id, error, timing=stages.timing()),
        )
        record = shop.store.get(job.id)
    except (AttemptEnded, StoreUnavailable):
        return
    if outcome is Outcome.LOST or record is None:
        return
    if record.status is JobStatus.FAILED:
        shop.metrics.jobs_finished.labels(job.request.model, JobStatus.FAILED).inc()
    else:
        _send_ticket(shop, attempt)


def _send_ticket(shop: Workshop, attempt: Attempt) -> None:
    request = attempt.job.request
    try:
        shop.tickets.send(request.model, request.priority)
    except StoreUnavailable:
        log.warning("no ticket could be sent; the keeper will send one")
