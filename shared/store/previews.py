"""The newest preview of each job: a small file on the scratch server, for a while."""

from redis.client import NEVER_DECODE

from shared.connections import RedisPair, store_errors
from shared.job import Preview
from shared.store import keys
from shared.store.events import preview_message

PREVIEW_TYPE = "image/jpeg"
PREVIEW_SECONDS = 300  # a slow device takes a minute for some steps


class PreviewRecords:
    """The part of JobStore that keeps previews; they may be lost, and refused when it is full."""

    _redis: RedisPair

    def keep_preview(self, job_id: str, data: bytes, *, index: int, step: int, steps: int) -> None:
        """Keep this one instead of the last, and tell whoever listens."""
        preview = Preview(
            index=index, step=step, steps=steps, content_type=PREVIEW_TYPE, bytes=len(data)
        )
        with store_errors():
            self._redis.scratch.set(keys.preview(job_id), data, ex=PREVIEW_SECONDS)
            # Told on the durable server, since listeners hold their one subscription there.
            self._redis.durable.publish(keys.events(job_id), preview_message(preview))

    def preview(self, job_id: str) -> bytes | None:
        """The newest one, a file of PREVIEW_TYPE; None where there is none, or none any more."""
        with store_errors():
            data: bytes | None = self._redis.scratch.execute_command(  # type: ignore[no-untyped-call]
                "GET", keys.preview(job_id), **{NEVER_DECODE: True}
            )
        return data
