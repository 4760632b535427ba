"""From the store's Job to the wire: links are made when read, never stored."""

from datetime import UTC, datetime, timedelta
from typing import overload

from api.event_tokens import EventTokens
from api.job_files import JobFile, picture_file, trajectory_file
from api.wire import (
    ImageAnswer,
    JobAnswer,
    LinksAnswer,
    PreviewAnswer,
    ProgressAnswer,
    QueueAnswer,
    TrajectoryAnswer,
)
from shared.job import Job, JobStatus, Preview, Progress, StoredImage
from shared.objects import ObjectStore


class Renderer:
    """Makes answers; `base_url` begins every link to the gateway."""

    def __init__(
        self,
        base_url: str,
        objects: ObjectStore,
        tokens: EventTokens,
        retention_seconds: float,
    ) -> None:
        self._base_url = base_url
        self._objects = objects
        self._tokens = tokens
        self._retention_seconds = retention_seconds

    def location(self, job_id: str) -> str:
        """The job's own address."""
        return f"{self._base_url}/v1/jobs/{job_id}"

    def job(self, job: Job, queue: QueueAnswer | None = None) -> JobAnswer:
        """The whole job; `queue` is a waiting one's place, where it is known."""
        location = self.location(job.id)
        token = self._tokens.issue(job.id)
        return JobAnswer(
            id=job.id,
            status=job.status,
            created_at=_moment(job.created_at),
            started_at=_moment(job.started_at),
            finished_at=_moment(job.finished_at),
            expires_at=_moment(job.finished_at, self._retention_seconds),
            queue=(queue or QueueAnswer()) if job.status is JobStatus.QUEUED else None,
            progress=self.progress(job.progress),
            request=job.request,
            images=tuple(self.image(job.id, image) for image in job.images),
            warnings=job.warnings,
            error=job.error,
            attempts=job.attempts,
            timing=job.timing,
            links=LinksAnswer(
                self=location,
                cancel=f"{location}/cancel",
                events=f"{location}/events?token={token}",
                preview=f"{location}/preview?token={token}",
            ),
        )

    def image(self, job_id: str, image: StoredImage) -> ImageAnswer:
        """One picture, with fresh links."""
        url, expires_at = self._link(job_id, picture_file(job_id, image))
        trajectory = None
        if image.trajectory:
            animated, _ = self._link(job_id, trajectory_file(job_id, image.index, image.trajectory))
            trajectory = TrajectoryAnswer(
                url=animated,
                url_expires_at=expires_at,
                **image.trajectory.model_dump(exclude={"key"}),
            )
        return ImageAnswer(
            url=url,
            url_expires_at=expires_at,
            trajectory=trajectory,
            **image.model_dump(exclude={"key", "trajectory"}),
        )

    def preview(self, job_id: str, preview: Preview) -> PreviewAnswer:
        """A preview, and where to fetch it without a key."""
        url = f"{self.location(job_id)}/preview?token={self._tokens.issue(job_id)}"
        return PreviewAnswer(url=url, **preview.model_dump())

    def _link(self, job_id: str, file: JobFile) -> tuple[str, datetime | None]:
        if not self._objects.has_public_links:
            return f"{self.location(job_id)}/{file.path}", None
        expires_at = datetime.now(UTC) + timedelta(seconds=self._objects.link_seconds)
        return file.link(self._objects), expires_at

    def progress(self, progress: Progress) -> ProgressAnswer:
        """A complete snapshot."""
        return ProgressAnswer(
            step=progress.step,
            steps=progress.steps,
            fraction=round(progress.fraction, 4),
            images_done=progress.images_done,
        )


@overload
def _moment(seconds: float) -> datetime: ...
@overload
def _moment(seconds: float | None, later: float = 0.0) -> datetime | None: ...
def _moment(seconds: float | None, later: float = 0.0) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds + later, UTC)
