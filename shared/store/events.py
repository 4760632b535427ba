"""A job's events: the facts in a capped stream, the progress in passing, both published."""

import json
import re
from dataclasses import dataclass
from typing import Any

from shared.connections import RedisPair, store_errors
from shared.job import Job, JobStatus, Preview, Progress
from shared.store import keys, progress, records

CHANNEL_PATTERN = keys.events("*")  # on the durable server; one subscription hears every job

_STREAM_ID = re.compile(r"[0-9]{1,15}-[0-9]{1,15}")


@dataclass(frozen=True)
class Event:
    """`status`, `image` or `warning`, with the stream's id; `progress` and `preview` have none.

    `data` of a status: status, attempts, and the error of a failed job. Of the others: the value
    itself (StoredImage, JobWarning, Progress, Preview).
    """

    id: str | None
    type: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """A job at one moment, and the id of the last event that is part of it."""

    last_event_id: str
    job: Job


def job_of_channel(channel: str) -> str:
    """The job whose events that channel carries."""
    return channel.removeprefix(keys.events(""))


def parse_message(text: str) -> Event:
    """What was published on an event channel."""
    return Event(**json.loads(text))


def progress_message(reached: Progress) -> str:
    """What is published when a job has moved on."""
    return json.dumps({"id": None, "type": "progress", "data": reached.model_dump()})


def preview_message(preview: Preview) -> str:
    """What is published when a job has a new preview."""
    return json.dumps({"id": None, "type": "preview", "data": preview.model_dump()})


class EventLog:
    """Reads what the scripts wrote."""

    def __init__(self, redis: RedisPair) -> None:
        self._redis = redis

    def read(self, job_id: str, after: str) -> list[Event] | None:
        """The events after that id, oldest first; None where it is unknown or trimmed away.

        Whoever gets None starts anew, from a snapshot. An id after the newest is unknown, too: a
        server that took over may have lost the last ones.
        """
        if not _STREAM_ID.fullmatch(after):
            return None
        pipeline = self._redis.durable.pipeline()
        pipeline.xrange(keys.events(job_id), "-", "+", count=1)
        pipeline.xrevrange(keys.events(job_id), "+", "-", count=1)
        pipeline.xrange(keys.events(job_id), f"({after}", "+")
        with store_errors():
            first, last, found = pipeline.execute()
        if not first or _is_before(after, first[0][0]) or _is_before(last[0][0], after):
            return None
        return [Event(id, entry["type"], json.loads(entry["data"])) for id, entry in found]

    def snapshot(self, job_id: str) -> Snapshot | None:
        """The job now and where its events stand, read together; None where there is no job."""
        pipeline = self._redis.durable.pipeline()
        pipeline.hgetall(keys.job(job_id))
        pipeline.xrevrange(keys.events(job_id), count=1)
        with store_errors():
            fields, last = pipeline.execute()
        if not records.visible(fields):
            return None
        running = [job_id] if fields["status"] == JobStatus.RUNNING else []
        told = progress.newest(self._redis, running)
        return Snapshot(last[0][0], records.job_from(job_id, fields, told.get(job_id)))


def _is_before(earlier: str, later: str) -> bool:
    return [int(part) for part in earlier.split("-")] < [int(part) for part in later.split("-")]
