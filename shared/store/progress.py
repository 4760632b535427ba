"""The newest progress of jobs: told on the scratch server, kept in the record when a job ends."""

from collections.abc import Sequence
from typing import Any

from shared.connections import RedisPair, store_errors
from shared.errors import StoreUnavailable
from shared.store import keys


def newest(redis: RedisPair, job_ids: Sequence[str]) -> dict[str, str]:
    """The progress last told of each job, as JSON.

    Those of which none is known are left out: all, while the scratch server does not answer.
    """
    if not job_ids:
        return {}
    try:
        with store_errors():
            texts: Any = redis.scratch.mget([keys.progress(job_id) for job_id in job_ids])
    except StoreUnavailable:
        return {}  # a job can be read and ended without it
    return {job_id: text for job_id, text in zip(job_ids, texts, strict=True) if text is not None}
