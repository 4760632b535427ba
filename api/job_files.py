"""What a job has in S3, as clients meet it: where, under which name, and of which type."""

from dataclasses import dataclass

from shared.job import StoredImage, StoredTrajectory
from shared.objects import ObjectStore


@dataclass(frozen=True)
class JobFile:
    """One object of a job. `path` is its address at the gateway, below the job's own."""

    key: str
    path: str
    filename: str
    content_type: str
    bytes: int
    sha256: str

    def link(self, objects: ObjectStore) -> str:
        """A presigned link."""
        return objects.link(self.key, filename=self.filename, content_type=self.content_type)


def picture_file(job_id: str, image: StoredImage) -> JobFile:
    """The finished picture."""
    return JobFile(
        key=image.key,
        path=f"images/{image.index}",
        filename=f"{job_id}_{image.index}.{image.format}",
        content_type=f"image/{image.format}",
        bytes=image.bytes,
        sha256=image.sha256,
    )


def trajectory_file(job_id: str, index: int, stored: StoredTrajectory) -> JobFile:
    """The animated picture of image `index`'s denoising."""
    return JobFile(
        key=stored.key,
        path=f"images/{index}/trajectory",
        filename=f"{job_id}_{index}_trajectory.{stored.format}",
        content_type=f"image/{stored.format}",
        bytes=stored.bytes,
        sha256=stored.sha256,
    )
