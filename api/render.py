"""From the store's Job to the wire: links are made when read, never stored."""

from datetime import UTC, datetime, timedelta
from typing import overload

from api.event_tokens import EventTokens
from api.wire import ImageAnswer, JobAnswer, LinksAnswer, ProgressAnswer, QueueAnswer
from shared.job import Job, JobStatus, Progress, StoredImage
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
                events=f"{location}/events?token={self._tokens.issue(job.id)}",
            ),
        )

    def image(self, job_id: str, image: StoredImage) -> ImageAnswer:
        """One picture, with a fresh link."""
        if self._objects.has_public_links:
            url = image_link(self._objects, job_id, image)
            expires_at = datetime.now(UTC) + timedelta(seconds=self._objects.link_seconds)
        else:
            url, expires_at = f"{self.location(job_id)}/images/{image.index}", None
        facts = image.model_dump(exclude={"key"})
        return ImageAnswer(url=url, url_expires_at=expires_at, **facts)

    def progress(self, progress: Progress) -> ProgressAnswer:
        """A complete snapshot."""
        return ProgressAnswer(
            step=progress.step,
            steps=progress.steps,
            fraction=round(progress.fraction, 4),
            images_done=progress.images_done,
        )


def image_link(objects: ObjectStore, job_id: str, image: StoredImage) -> str:
    """A presigned link to one picture."""
    filename = f"{job_id}_{image.index}.{image.format}"
    return objects.link(image.key, filename=filename, content_type=f"image/{image.format}")


@overload
def _moment(seconds: float) -> datetime: ...
@overload
def _moment(seconds: float | None, later: float = 0.0) -> datetime | None: ...
def _moment(seconds: float | None, later: float = 0.0) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds + later, UTC)
