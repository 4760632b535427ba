"""From a record's hash fields to a Job."""

import json
from collections.abc import Mapping, Sequence

from shared.job import (
    EndedAttempt,
    Job,
    JobError,
    JobStatus,
    JobWarning,
    Progress,
    StoredImage,
    Timing,
)
from shared.request import GenerationRequest
from shared.store.values import Ahead

SUSPECT_CRASHES = 2
SUSPECT_LOSSES = 3


def pairs(flat: Sequence[str]) -> dict[str, str]:
    """The fields of an HGETALL that was answered through a script."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def visible(fields: Mapping[str, str]) -> bool:
    """Whether there is a record, and its tenant has not deleted it."""
    return bool(fields) and "deleted" not in fields


def suspect(fields: Mapping[str, str]) -> bool:
    """Whether the job was in flight at more than one worker's death."""
    crashes, losses = int(fields.get("crashes", 0)), int(fields.get("losses", 0))
    return crashes >= SUSPECT_CRASHES or losses >= SUSPECT_LOSSES


def images(fields: Mapping[str, str]) -> tuple[StoredImage, ...]:
    """The pictures that have been told, by index."""
    found = [text for name, text in fields.items() if name.startswith("image:")]
    parsed = [StoredImage.model_validate_json(text) for text in found]
    return tuple(sorted(parsed, key=lambda image: image.index))


def job_from(job_id: str, fields: Mapping[str, str], told: str | None = None) -> Job:
    """The record as a Job.

    `told` is a running job's newest progress as JSON, if there is any; an ended job's is in its
    record. The number of pictures is always the record's own.
    """
    request = GenerationRequest.model_validate_json(fields["request"])
    status = JobStatus(fields["status"])
    stored = images(fields)
    lines = fields.get("warnings", "").split("\n")[:-1]
    history = fields.get("history", "").split("\n")[:-1]
    reached = told or fields.get("progress")
    done = request.steps if status is JobStatus.SUCCEEDED else 0
    shown = (
        Progress.model_validate_json(reached)
        if reached
        else Progress(step=done, steps=request.steps)
    )
    error, timing = fields.get("error"), fields.get("timing")
    return Job(
        id=job_id,
        tenant=fields["tenant"],
        status=status,
        request=request,
        created_at=seconds(fields["created_at"]),
        started_at=_moment(fields.get("started_at")),
        claimed_at=_moment(fields.get("claimed_at")),
        finished_at=_moment(fields.get("finished_at")),
        traceparent=fields.get("traceparent"),
        attempts=int(fields["attempts"]),
        crashes=int(fields.get("crashes", 0)),
        images=stored,
        warnings=tuple(JobWarning.model_validate_json(line) for line in lines),
        error=JobError.model_validate_json(error) if error else None,
        timing=Timing.model_validate_json(timing) if timing else Timing(),
        progress=shown.model_copy(update={"images_done": len(stored)}),
        history=tuple(_ended_attempt(line) for line in history),
    )


def seconds(microseconds: str) -> float:
    """A moment of the scripts' clock in seconds since 1970."""
    return int(microseconds) / 1_000_000


def ahead(rows: Sequence[Sequence[str]]) -> tuple[Ahead, ...]:
    """What a script says goes before a job."""
    return tuple(Ahead(model, float(jobs), float(cost)) for model, jobs, cost in rows)


def _ended_attempt(line: str) -> EndedAttempt:
    told = json.loads(line)
    return EndedAttempt(
        **told | {"began": told["began"] / 1_000_000, "ended": told["ended"] / 1_000_000}
    )


def _moment(text: str | None) -> float | None:
    return seconds(text) if text else None
