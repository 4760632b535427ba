"""A job's events as Server-Sent Events: facts from the store's stream, in order and once each.

A new reader's first event is a snapshot: a `status` with the whole job, under the id of the last
fact that is part of it. `progress` and `preview` are only ever the newest, and carry no id.
"""

import json
from collections.abc import AsyncIterator

from sse_starlette import ServerSentEvent
from starlette.concurrency import run_in_threadpool

from api.event_hub import EventHub
from api.render import Renderer
from shared.job import JobStatus, StoredImage
from shared.store.events import Event, EventLog, Snapshot

LOOK_AGAIN_SECONDS = 15.0  # should a publish get lost


class EventStream:
    """One client's way through one job's events."""

    def __init__(self, job_id: str, hub: EventHub, log: EventLog, render: Renderer) -> None:
        self._job_id = job_id
        self._hub = hub
        self._log = log
        self._render = render
        self._ended = False

    async def events(self, last_event_id: str | None) -> AsyncIterator[ServerSentEvent]:
        """The events after that id, to the job's last one; a snapshot first where it is None."""
        position = last_event_id
        with self._hub.watch(self._job_id) as watch:
            while not self._ended:
                news = await watch.next(LOOK_AGAIN_SECONDS)
                if news.closing:
                    return
                if news.facts:
                    found, position = await run_in_threadpool(self._read, position)
                    for event in found:
                        yield event
                if news.progress is not None and not self._ended:
                    progress = self._render.progress(news.progress)
                    yield ServerSentEvent(progress.model_dump_json(), event="progress")
                if news.preview is not None and not self._ended:
                    preview = self._render.preview(self._job_id, news.preview)
                    yield ServerSentEvent(preview.model_dump_json(), event="preview")

    def _read(self, position: str | None) -> tuple[list[ServerSentEvent], str | None]:
        events = None if position is None else self._log.read(self._job_id, position)
        if events is None:
            snapshot = self._log.snapshot(self._job_id)
            if snapshot is None:  # deleted meanwhile
                self._ended = True
                return [], position
            return [self._whole(snapshot)], snapshot.last_event_id
        return [self._fact(event) for event in events], events[-1].id if events else position

    def _whole(self, snapshot: Snapshot) -> ServerSentEvent:
        self._ended = snapshot.job.status.terminal
        job = self._render.job(snapshot.job)
        return ServerSentEvent(job.model_dump_json(), event="status", id=snapshot.last_event_id)

    def _fact(self, event: Event) -> ServerSentEvent:
        if event.type == "status":
            self._ended = JobStatus(event.data["status"]).terminal
        if event.type == "image":
            image = self._render.image(self._job_id, StoredImage(**event.data))
            return ServerSentEvent(image.model_dump_json(), event="image", id=event.id)
        return ServerSentEvent(json.dumps(event.data), event=event.type, id=event.id)
