"""One job's life in the worker, from the claim to the commit: `generate` reads top to bottom."""

import logging
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

import numpy as np

from shared.errors import GenerationInvalid, InternalError, JobFailure, StorageUnavailable
from shared.job import JobStatus, JobWarning
from shared.logging import job_id as logged_job_id
from shared.store.values import Outcome
from shared.tracing import Attribute, Span, SpanKind
from worker.attempts import Attempt, AttemptEnded
from worker.decoding import decode
from worker.endings import expire, fail, give_up
from worker.engine.sample import EngineStopped, Kind, Sample, SampleCanceled
from worker.engine.stepper import DeviceLost
from worker.inputs import Inputs, fetch_inputs
from worker.models.viewer import Viewer
from worker.models.wording import Note
from worker.persistence import persist
from worker.resume import count_resumed, find_checkpoints, resume
from worker.shipment import Shipment
from worker.stages import Stages
from worker.way_out import Decoded, WayOut
from worker.workshop import Workshop

log = logging.getLogger(__name__)


def generate(shop: Workshop, attempt: Attempt, stages: Stages, shipment: Shipment) -> None:
    """Make the job's missing pictures, tell each as soon as it is stored, and commit.

    Raises:
        AttemptEnded, SampleCanceled: the attempt was told to end.
        EngineStopped, DeviceLost: the process is about to end.
        JobFailure, StorageUnavailable: the attempt has failed.
    """
    job, request = attempt.job, attempt.job.request
    model = shop.models[request.model]
    done = frozenset(image.index for image in job.images)

    viewer = _viewer(shop, attempt)

    with stages.stage("prepare"):
        inputs = _fetch_inputs(shop, attempt)
        found = find_checkpoints(shop.store, attempt)
        pictures = inputs.fitted(request.width, request.height)
        finished_size = inputs.fitted(*request.size)
    with stages.stage("prepare"), shop.record.in_hands(job.id):
        samples, notes = model.prepare(
            job.id,
            request,
            attempt.sequence,
            _kind(attempt),
            done,
            pictures,
            viewer,
        )
        samples, ignored = resume(model, attempt, samples, found, finished_size)
    notes += ignored
    if viewer is None and (request.preview_every or request.trajectory):
        notes.append(("previews_off", "this service shows no picture before it has checked it"))
    attempt.fits = model.fits(request)
    _submit(shop, attempt, samples)
    count_resumed(shop.store, attempt, shop.metrics)
    shop.pacer.prepared(request.model, time.monotonic() - attempt.began)

    notes_of: defaultdict[int, list[Note]] = defaultdict(list)  # an image's own
    with WayOut(shop, request, stages, shipment, alone=len(samples) == 1) as way_out:
        for sample in _as_finished(shop, attempt, stages, way_out):
            if isinstance(sample.finished.exception(), GenerationInvalid):
                with stages.stage("prepare"), shop.record.in_hands(job.id):
                    again = model.prepare_again(sample, request, pictures)
                if again is not None:
                    note = ("denoised_again", f"image {sample.index}, in full precision")
                    notes_of[sample.index].append(note)
                    _submit(shop, attempt, [again])
                    continue
            if sample.later_ticks:
                with stages.stage("prepare"), shop.record.in_hands(job.id):
                    second = model.prepare_second(sample, request, finished_size)
                _submit(shop, attempt, [second])
                continue
            finished_at = time.monotonic()
            with stages.stage("decode"), shop.record.in_hands(job.id):
                latent = sample.finished.result()
                decoded, told = decode(model, latent, sample.index, request.reproducible)
                pixels = finished_size.composite(decoded)
                notes_of[sample.index] += told
                if shop.safety is not None and shop.safety.flags(pixels):
                    pixels = np.zeros_like(pixels)
                    note = ("content_flagged", f"image {sample.index} was made black")
                    notes_of[sample.index].append(note)
            frames = viewer.frames(sample.index) if viewer and request.trajectory else None
            warnings = _warnings(notes_of[sample.index])
            way_out.take(Decoded(sample.index, pixels, frames, warnings, finished_at))
    with stages.stage("upload"):
        shipment.finish()

    if any(sample.narrowed for sample in attempt.samples):
        notes.append(("batch_narrowed", "it shared ticks with fewer others, to save memory"))
    with shop.tracing.span("commit"):
        outcome = persist(
            attempt,
            lambda: shop.store.commit(
                job.id, attempt.attempt_id, timing=stages.timing(), warnings=_warnings(notes)
            ),
        )
    if outcome is Outcome.LOST:
        raise AttemptEnded


def work(shop: Workshop, attempt: Attempt) -> None:
    """Do one attempt, and write down how it ended; never raises."""
    job = attempt.job
    logged_job_id.set(job.id)
    attributes: dict[str, Attribute] = {
        "tessera.job_id": job.id,
        "tessera.attempt": job.attempts,
        "tessera.images": job.request.num_images,
        "gen_ai.request.model": job.request.model,
        "gen_ai.output.type": "image",
    }
    with shop.tracing.span(
        "attempt", SpanKind.CONSUMER, parent=job.traceparent, attributes=attributes
    ) as span:
        _work(shop, attempt, span)


def _work(shop: Workshop, attempt: Attempt, span: Span) -> None:
    job = attempt.job
    assert job.claimed_at is not None
    if job.attempts == 1:
        shop.tracing.record(
            "queue", parent=job.traceparent, began=job.created_at, ended=job.claimed_at
        )
    stages = Stages(shop.metrics, job.claimed_at - job.created_at, shop.tracing)
    shop.metrics.queue_seconds.observe(job.claimed_at - job.created_at)
    log.info("attempt begins", extra={"attempt": attempt.attempt_id, "model": job.request.model})
    try:
        with shop.record.aboard(job.id), shop.spool.opened() as file:
            generate(shop, attempt, stages, Shipment(shop, attempt, file))
    except (AttemptEnded, SampleCanceled):
        shop.engine.cancel(job.id)
        give_up(shop, attempt)
        span.describe("attempt", {"tessera.ending": attempt.ending or "expired"})
    except (EngineStopped, DeviceLost) as error:
        # The supervisor takes the job back, with the flight record in hand.
        log.error("the engine is gone: %s", type(error).__name__)
        span.fail("device_lost")
    except (JobFailure, StorageUnavailable) as error:
        shop.engine.cancel(job.id)
        fail(shop, attempt, error, stages)
        span.fail(error.code)
    except Exception:  # a defect in one job must not cost the worker's others
        log.exception("the attempt failed")
        shop.engine.cancel(job.id)
        fail(shop, attempt, InternalError("the worker could not finish this job"), stages)
        span.fail(InternalError.code)
    else:
        shop.checkpointer.forget(attempt)
        shop.metrics.jobs_finished.labels(job.request.model, JobStatus.SUCCEEDED).inc()
        shop.metrics.job_seconds.observe(stages.total_seconds)
        log.info("job succeeded", extra=stages.timing().model_dump(exclude_none=True))


def _kind(attempt: Attempt) -> Kind:
    if attempt.suspect:
        return Kind.SUSPECT
    return Kind.REPRODUCIBLE if attempt.job.request.reproducible else Kind.ORDINARY


def _fetch_inputs(shop: Workshop, attempt: Attempt) -> Inputs:
    job = attempt.job
    return persist(
        attempt,
        lambda: fetch_inputs(shop.objects, job.tenant, job.request),
        shop.storage_patience_seconds,
    )


def _warnings(notes: Sequence[Note]) -> list[JobWarning]:
    return [JobWarning(code=code, detail=detail) for code, detail in notes]


def _viewer(shop: Workshop, attempt: Attempt) -> Viewer | None:
    job, request, previews = attempt.job, attempt.job.request, shop.previews
    if previews is None or not (request.preview_every or request.trajectory):
        return None
    return Viewer(request, lambda view: previews.offer(job.id, request, view))


def _submit(shop: Workshop, attempt: Attempt, samples: Sequence[Sample]) -> None:
    attempt.samples = [*attempt.samples, *samples]
    shop.engine.submit(samples)
    if attempt.ending is not None:
        shop.engine.cancel(attempt.job.id)  # told to end before there was anything to cancel


def _as_finished(
    shop: Workshop, attempt: Attempt, stages: Stages, way_out: WayOut
) -> Iterator[Sample]:
    """The attempt's samples, those too that are submitted meanwhile.

    Raises:
        AttemptEnded: the deadline has passed; the job has expired.
        AttemptEnded, StorageUnavailable: a picture could not leave.
    """
    seen: set[Sample] = set()
    while waiting := {one.finished: one for one in attempt.samples if one not in seen}:
        with stages.stage("denoise"):
            done = _first_finished(shop, attempt, waiting, way_out)
        for future, sample in waiting.items():
            if future in done:
                seen.add(sample)
                yield sample


def _first_finished(
    shop: Workshop, attempt: Attempt, waiting: Collection[Future[Any]], way_out: WayOut
) -> set[Future[Any]]:
    done, _ = wait([*waiting, way_out.failed], attempt.seconds_left(), FIRST_COMPLETED)
    if not done:
        expire(shop, attempt)
    if way_out.failed in done:
        way_out.failed.result()
    return done
