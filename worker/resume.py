"""Lets a later attempt's samples go on from the checkpoints that earlier ones have left."""

import logging
from collections.abc import Sequence
from contextlib import suppress

from shared.checkpoint import Checkpoint
from shared.errors import StoreUnavailable
from shared.store.job_store import JobStore
from worker.attempts import Attempt
from worker.engine.sample import Sample
from worker.metrics import WorkerMetrics
from worker.models.pictures import Pictures
from worker.models.resident import ResidentModel
from worker.models.wording import Note

log = logging.getLogger(__name__)


def find_checkpoints(store: JobStore, attempt: Attempt) -> dict[int, Checkpoint | None]:
    """What earlier attempts have left, by image; nothing where the server does not answer."""
    if attempt.job.attempts > 1:
        with suppress(StoreUnavailable):
            return store.checkpoints_of(attempt.job.id)
    return {}


def resume(
    model: ResidentModel,
    attempt: Attempt,
    samples: Sequence[Sample],
    found: dict[int, Checkpoint | None],
    finished_size: Pictures,
) -> tuple[list[Sample], list[Note]]:
    """The samples, those with a checkpoint at its tick; and what the client should know.

    `finished_size` are the request's pictures at the size of the finished one.
    """
    resumed: list[Sample] = []
    ignored = []
    for sample in samples:
        going_on = None
        if sample.index in found:
            checkpoint = found[sample.index]
            if checkpoint is not None:
                going_on = model.resume(sample, attempt.job.request, checkpoint, finished_size)
            if going_on is None:
                ignored.append(sample.index)
        resumed.append(going_on or sample)
    return resumed, [_ignored(index) for index in ignored]


def count_resumed(store: JobStore, attempt: Attempt, metrics: WorkerMetrics) -> None:
    """Count what the checkpoints have saved and what is lost; before new progress is told."""
    if attempt.job.attempts == 1:
        return
    going_on = [sample for sample in attempt.samples if sample.kept_tick]
    saved = sum(sample.earlier_ticks + sample.kept_tick for sample in going_on)
    metrics.samples_resumed.inc(len(going_on))
    metrics.steps_saved.inc(saved)
    with suppress(StoreUnavailable):
        before = store.get(attempt.job.id)
        if before is not None:
            steps = before.progress.step - attempt.progress().step
            repeated = max(steps, 0) * before.request.num_images
            metrics.steps_repeated.inc(repeated)
            log.info("a later attempt begins", extra={"saved": saved, "repeated": repeated})


def _ignored(index: int) -> Note:
    return ("checkpoint_ignored", f"image {index} was begun anew: its checkpoint does not fit")
