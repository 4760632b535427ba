"""What the service answers, as the client's own frozen models."""

from typing import Any

from pydantic import BaseModel, ConfigDict

TERMINAL = frozenset({"succeeded", "failed", "canceled", "expired"})


class _Answer(BaseModel):
    # A newer service may tell more than this client knows.
    model_config = ConfigDict(frozen=True, extra="ignore")


class JobProgress(_Answer):
    """Denoising steps done, averaged over the images, and images stored; `fraction` in 0..1."""

    step: int = 0
    steps: int = 0
    fraction: float = 0.0
    images_done: int = 0


class JobTrajectory(_Answer):
    """The animated picture of a denoising. `url` is good for a while only."""

    url: str
    width: int
    height: int
    format: str
    bytes: int
    sha256: str


class JobImage(_Answer):
    """One finished picture; sides in pixels. `url` is good for a while only."""

    index: int
    url: str
    seed: int
    width: int
    height: int
    format: str
    bytes: int
    sha256: str
    trajectory: JobTrajectory | None = None


class JobWarning(_Answer):
    """Something that was done otherwise than asked."""

    code: str
    detail: str


class JobError(_Answer):
    """Why a job failed; `retryable` says whether the same request may work later."""

    code: str
    detail: str
    retryable: bool


class Job(_Answer):
    """A job at one moment. `request` is normalised, with the seed that is used."""

    id: str
    status: str
    request: dict[str, Any]
    progress: JobProgress
    images: tuple[JobImage, ...]
    warnings: tuple[JobWarning, ...]
    error: JobError | None
    attempts: int
    timing: dict[str, float | None]
    links: dict[str, str]

    @property
    def done(self) -> bool:
        """Whether the status is final."""
        return self.status in TERMINAL


class JobPage(_Answer):
    """One page of a listing, newest job first; `next` is the cursor of the following page."""

    data: tuple[Job, ...]
    next: str | None


class Event(_Answer):
    """One event: `status`, `progress`, `preview`, `image`, `warning`. `id` resumes after it."""

    id: str
    type: str
    data: dict[str, Any]

    @property
    def final(self) -> bool:
        """Whether no event follows."""
        return self.data.get("status") in TERMINAL
