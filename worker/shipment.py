"""A job's finished pictures on their way out: into S3, then told; on disk while S3 is away."""

import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from shared.errors import StorageUnavailable
from shared.ids import attempt_prefix
from shared.job import JobWarning, StoredImage, StoredTrajectory
from shared.store.values import Outcome
from worker.animation import shown_size
from worker.attempts import Attempt, AttemptEnded
from worker.persistence import persist
from worker.pictures import EncodedPicture
from worker.spool import SpoolFile
from worker.workshop import Workshop

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _OnDisk:
    """A file that waits: its object's key and type, and its place in the spool."""

    key: str
    content_type: str
    place: int
    size: int


class Shipment:
    """One attempt's pictures, in the order they were finished in. For one thread at a time."""

    def __init__(self, shop: Workshop, attempt: Attempt, file: SpoolFile) -> None:
        self._shop = shop
        self._attempt = attempt
        self._file = file
        self._waiting: deque[tuple[StoredImage, Sequence[JobWarning], list[_OnDisk]]] = deque()

    def send(
        self,
        index: int,
        picture: EncodedPicture,
        trajectory: EncodedPicture | None,
        warnings: Sequence[JobWarning],
    ) -> None:
        """Store and tell image `index`, with its trajectory where there is one, and its warnings.

        While S3 is away the picture waits on disk for the next call; without room there this
        waits for S3 itself.

        Raises:
            AttemptEnded: the attempt was told to end, or is another's.
            StorageUnavailable: there is no room, and the patience is at its end.
        """
        image = _manifest(self._attempt, index, picture, trajectory)
        files = [
            (key, one)
            for key, one in zip(image.keys, (picture, trajectory), strict=False)
            if one is not None
        ]
        try:
            self._send_waiting(patience_seconds=0)
            self._put(files, patience_seconds=0)
        except StorageUnavailable:
            if self._keep(image, warnings, files):
                return
            self.finish()
            self._put(files, self._shop.storage_patience_seconds)
        self._tell(image, warnings)

    def finish(self) -> None:
        """Store and tell all that waits; raises as `send` does."""
        self._send_waiting(self._shop.storage_patience_seconds)

    def _send_waiting(self, patience_seconds: float) -> None:
        while self._waiting:
            image, warnings, files = self._waiting[0]
            for one in files:
                content = self._file.read(one.place, one.size)
                self._put_one(one.key, content, one.content_type, patience_seconds)
            self._tell(image, warnings)
            self._waiting.popleft()
        self._file.clear()

    def _put(self, files: list[tuple[str, EncodedPicture]], patience_seconds: float) -> None:
        for key, one in files:
            self._put_one(key, one.data, one.content_type, patience_seconds)

    def _put_one(
        self, key: str, content: bytes, content_type: str, patience_seconds: float
    ) -> None:
        persist(
            self._attempt,
            lambda: self._shop.objects.put(key, content, content_type),
            patience_seconds,
        )

    def _keep(
        self,
        image: StoredImage,
        warnings: Sequence[JobWarning],
        files: list[tuple[str, EncodedPicture]],
    ) -> bool:
        """Whether the picture could be left on disk."""
        kept = []
        for key, one in files:
            place = self._file.write(one.data)
            if place is None:
                return False
            kept.append(_OnDisk(key, one.content_type, place, len(one.data)))
        log.warning("a picture waits on disk: the object store does not answer")
        self._waiting.append((image, warnings, kept))
        return True

    def _tell(self, image: StoredImage, warnings: Sequence[JobWarning]) -> None:
        shop, attempt = self._shop, self._attempt
        outcome = persist(
            attempt,
            lambda: shop.store.add_image(attempt.job.id, attempt.attempt_id, image, warnings),
        )
        if outcome is Outcome.LOST:
            with suppress(StorageUnavailable):  # the store has noted the attempt for a sweep
                for own in image.keys:
                    shop.objects.delete_prefix(own)
            raise AttemptEnded
        attempt.images_done += 1
        shop.metrics.images.inc()


def _manifest(
    attempt: Attempt, index: int, picture: EncodedPicture, trajectory: EncodedPicture | None
) -> StoredImage:
    job, request = attempt.job, attempt.job.request
    prefix = attempt_prefix(job.tenant, job.id, attempt.attempt_id)
    return StoredImage(
        index=index,
        key=f"{prefix}{index}.{picture.extension}",
        seed=request.image_seed(index),
        width=request.size[0],
        height=request.size[1],
        format=request.output.format,
        bytes=len(picture.data),
        sha256=picture.sha256,
        trajectory=_stored(f"{prefix}{index}.trajectory.webp", trajectory, shown_size(request)),
    )


def _stored(
    key: str, trajectory: EncodedPicture | None, size: tuple[int, int]
) -> StoredTrajectory | None:
    if trajectory is None:
        return None
    return StoredTrajectory(
        key=key,
        width=size[0],
        height=size[1],
        format=trajectory.extension,
        bytes=len(trajectory.data),
        sha256=trajectory.sha256,
    )
