"""The Job: the words of its record, as the store keeps them and everybody reads them."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from shared.request import GenerationRequest


class JobStatus(StrEnum):
    """`queued -> running -> succeeded | failed | canceled | expired`."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"

    @property
    def terminal(self) -> bool:
        """Whether the job has ended; a terminal status never changes."""
        return self not in (JobStatus.QUEUED, JobStatus.RUNNING)


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StoredTrajectory(_Record):
    """The animated picture of one denoising, beside the finished one."""

    key: str
    width: int
    height: int
    format: str
    bytes: int
    sha256: str


class StoredImage(_Record):
    """One line of the manifest: a finished picture that lies in S3 under `key`."""

    index: int
    key: str
    seed: int
    width: int
    height: int
    format: str
    bytes: int
    sha256: str
    trajectory: StoredTrajectory | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """Of all its objects."""
        return (self.key, self.trajectory.key) if self.trajectory else (self.key,)


class JobWarning(_Record):
    """Something that was done otherwise than asked, and told."""

    code: str
    detail: str


class JobError(_Record):
    """Why a job failed; `retryable` says whether the same request may work later."""

    code: str
    detail: str
    retryable: bool


class EndedAttempt(_Record):
    """How an attempt that brought its job to no end was ended; times as a Job's.

    `how`: released (its worker drained), failed (`code` says by what), crashed (it was in the
    hands of the process that died), interrupted (it was not), host_lost (its lease ran out).
    """

    attempt: int
    worker: str
    began: float
    ended: float
    how: str
    code: str | None = None


class Timing(_Record):
    """Where a job's time went, in milliseconds.

    Each stage is the sum over the images; those of several overlap, so that together they may be
    more than the total.
    """

    queue_ms: int | None = None
    prepare_ms: int | None = None
    denoise_ms: int | None = None
    decode_ms: int | None = None
    encode_ms: int | None = None
    upload_ms: int | None = None
    total_ms: int | None = None


class Progress(_Record):
    """A complete snapshot: ticks done, averaged over the images, and images stored."""

    step: int = 0
    steps: int = 0
    images_done: int = 0

    @property
    def fraction(self) -> float:
        """Between 0 and 1."""
        return self.step / self.steps if self.steps else 0.0


class Preview(_Record):
    """What is told of a job's newest preview: ticks done of its image, and the file's size."""

    index: int
    step: int
    steps: int
    content_type: str
    bytes: int


class Job(_Record):
    """A job's whole record at one moment. Times are Redis' clock, in seconds since 1970.

    `started_at` is the first attempt's claim, `claimed_at` the newest's. `traceparent` names the
    span of its submission.
    """

    id: str
    tenant: str
    status: JobStatus
    request: GenerationRequest
    created_at: float
    started_at: float | None = None
    claimed_at: float | None = None
    finished_at: float | None = None
    traceparent: str | None = None
    attempts: int = 0
    crashes: int = 0
    images: tuple[StoredImage, ...] = ()
    warnings: tuple[JobWarning, ...] = ()
    error: JobError | None = None
    timing: Timing = Timing()
    progress: Progress = Progress()
    history: tuple[EndedAttempt, ...] = ()
