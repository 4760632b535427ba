"""Checkpoints on the scratch server: losing one costs steps, never a job."""

from collections.abc import Mapping
from typing import Any

from redis.client import NEVER_DECODE

from shared.checkpoint import Checkpoint
from shared.connections import RedisPair, store_errors
from shared.store import keys

KEPT_SECONDS = 3600  # a job that waits longer for its next attempt begins anew


class CheckpointRecords:
    """The part of JobStore that keeps checkpoints. A full server refuses: StoreUnavailable."""

    _redis: RedisPair

    def save_checkpoints(self, found: Mapping[tuple[str, int], Checkpoint]) -> None:
        """Keep these, by job id and image, in one round trip."""
        pipeline = self._redis.scratch.pipeline(transaction=False)
        for (job_id, index), checkpoint in found.items():
            pipeline.hset(keys.checkpoints(job_id), str(index), checkpoint.pack())
            pipeline.expire(keys.checkpoints(job_id), KEPT_SECONDS)
        with store_errors():
            pipeline.execute()

    def checkpoints_of(self, job_id: str) -> dict[int, Checkpoint | None]:
        """The job's, by image; None where the bytes are of another version."""
        with store_errors():
            found: Any = self._redis.scratch.execute_command(  # type: ignore[no-untyped-call]
                "HGETALL", keys.checkpoints(job_id), **{NEVER_DECODE: True}
            )
        return {int(index): Checkpoint.unpack(packed) for index, packed in found.items()}

    def forget_checkpoints(self, job_id: str) -> None:
        """Drop the job's."""
        with store_errors():
            self._redis.scratch.delete(keys.checkpoints(job_id))
