"""A finished picture's way out: into S3, then told; and away again if the attempt lost its job."""

from contextlib import suppress

from shared.errors import StorageUnavailable
from shared.ids import attempt_prefix
from shared.job import StoredImage, StoredTrajectory
from shared.store.values import Outcome
from worker.animation import shown_size
from worker.attempts import Attempt, AttemptEnded
from worker.persistence import persist
from worker.pictures import EncodedPicture
from worker.workshop import Workshop


def store_picture(
    shop: Workshop,
    attempt: Attempt,
    index: int,
    picture: EncodedPicture,
    trajectory: EncodedPicture | None,
) -> None:
    """Store and tell image `index`, with its trajectory where there is one.

    Raises:
        AttemptEnded: the attempt was told to end, or is another's.
        StorageUnavailable, StoreUnavailable: the patience is at its end.
    """
    job, request = attempt.job, attempt.job.request
    prefix = attempt_prefix(job.tenant, job.id, attempt.attempt_id)
    key = f"{prefix}{index}.{picture.extension}"
    trajectory_key = f"{prefix}{index}.trajectory.webp"
    image = StoredImage(
        index=index,
        key=key,
        seed=request.image_seed(index),
        width=request.size[0],
        height=request.size[1],
        format=request.output.format,
        bytes=len(picture.data),
        sha256=picture.sha256,
        trajectory=_stored(trajectory_key, trajectory, shown_size(request)),
    )
    _put(shop, attempt, key, picture)
    if trajectory:
        _put(shop, attempt, trajectory_key, trajectory)
    outcome = persist(attempt, lambda: shop.store.add_image(job.id, attempt.attempt_id, image))
    if outcome is Outcome.LOST:
        with suppress(StorageUnavailable):  # the store has noted the attempt for a sweep
            for own in image.keys:
                shop.objects.delete_prefix(own)
        raise AttemptEnded


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


def _put(shop: Workshop, attempt: Attempt, key: str, picture: EncodedPicture) -> None:
    persist(
        attempt,
        lambda: shop.objects.put(key, picture.data, picture.content_type),
        shop.storage_patience_seconds,
    )
