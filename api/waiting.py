"""`Prefer: wait`: hold an answer back, without a thread, until the job ends or time is up."""

import time

from starlette.concurrency import run_in_threadpool

from api.event_hub import EventHub
from shared.job import Job
from shared.store.job_store import JobStore

LOOK_AGAIN_SECONDS = 5.0  # should a publish get lost


async def wait_for_end(hub: EventHub, store: JobStore, job: Job, seconds: float) -> Job:
    """The job once it has ended, or as it is after `seconds`, or when the gateway stops."""
    deadline = time.monotonic() + seconds
    with hub.watch(job.id) as watch:
        while not job.status.terminal:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                break
            news = await watch.next(min(remaining, LOOK_AGAIN_SECONDS))
            if news.closing:
                break
            if news.facts:
                current = await run_in_threadpool(store.get, job.id)
                if current is None:  # deleted meanwhile
                    break
                job = current
    return job
