"""One connection for the whole process that hears the watched jobs' events, and wakes watchers.

A watcher reads the store at once, and again as soon as its job is heard, so nothing falls between.
What is published only says that there is news: facts are read from the store. When the connection
to Redis was lost, all jobs are subscribed to anew, which makes everybody read what was missed.
Events of jobs that nobody watches here, by far the most, never come to this process.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from shared.job import Preview, Progress
from shared.redis_url import async_client
from shared.settings import RedisSettings
from shared.store import keys
from shared.store.events import Event, job_of_channel, parse_message

RECONNECT_SECONDS = 0.5

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class News:
    """What came since the last look: facts to read, the newest of what passes, or the end."""

    facts: bool
    progress: Progress | None
    preview: Preview | None
    closing: bool


class Watch:
    """One watcher of one job. It keeps only the newest of what passes: a slow one costs nothing."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._facts = True  # the first look always reads
        self._progress: Progress | None = None
        self._preview: Preview | None = None
        self._closing = False

    async def next(self, seconds: float) -> News:
        """The news, as soon as there is any; after `seconds` without, a reason to read anyway."""
        if not self._facts:
            try:
                await asyncio.wait_for(self._changed.wait(), seconds)
            except TimeoutError:
                self._facts = True
        news = News(self._facts, self._progress, self._preview, self._closing)
        self._facts, self._progress, self._preview = False, None, None
        self._changed.clear()
        return news

    def tell_facts(self) -> None:
        """There is something to read."""
        self._facts = True
        self._changed.set()

    def tell_progress(self, progress: Progress) -> None:
        """The job went on."""
        self._progress = progress
        self._changed.set()

    def tell_preview(self, preview: Preview) -> None:
        """There is a newer preview."""
        self._preview = preview
        self._changed.set()

    def tell_closing(self) -> None:
        """The gateway stops."""
        self._closing = True
        self._changed.set()


class EventHub:
    """All watches of the process; lives on its event loop."""

    def __init__(self, settings: RedisSettings) -> None:
        self._url = settings.redis_url
        self._watches: defaultdict[str, set[Watch]] = defaultdict(set)
        # Jobs that came to be watched, or not any more, since the connection was told last.
        self._touched: set[str] = set()
        self._touch = asyncio.Event()
        self._closing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listener: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen; called on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._listener = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        """End the subscription."""
        assert self._listener is not None, "stopped after it was started"
        self._listener.cancel()
        await asyncio.wait([self._listener])

    def close_soon(self) -> None:
        """Let every watcher end its answer, so that the server can stop; from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._close)

    def _close(self) -> None:
        self._closing = True
        for watch in self._all():
            watch.tell_closing()

    @contextmanager
    def watch(self, job_id: str) -> Iterator[Watch]:
        """Be woken by this job's events."""
        watch = Watch()
        if self._closing:
            watch.tell_closing()
        self._watches[job_id].add(watch)
        self._touched.add(job_id)
        self._touch.set()
        try:
            yield watch
        finally:
            self._watches[job_id].discard(watch)
            if not self._watches[job_id]:
                del self._watches[job_id]
                self._touched.add(job_id)
                self._touch.set()

    async def _listen(self) -> None:
        while True:
            try:
                async with (
                    async_client(
                        self._url,
                        decode_responses=True,
                        client_name="tessera-events",
                        socket_timeout=None,  # quiet for hours is no error
                        socket_keepalive=True,
                        retry=Retry(NoBackoff(), 0),  # two tasks use it: none mends it by itself
                    ) as client,
                    client.pubsub() as subscription,
                    asyncio.TaskGroup() as tasks,
                ):
                    await subscription.connect()
                    tasks.create_task(self._subscribe(subscription))
                    tasks.create_task(self._hear(subscription))
            except* (redis.ConnectionError, redis.TimeoutError):
                logger.warning("the subscription to job events is lost; trying again")
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _subscribe(self, subscription: PubSub) -> None:
        """Keep the connection's channels those of the watched jobs."""
        heard: set[str] = set()
        self._touched = set(self._watches)
        while True:
            touched, self._touched = self._touched, set()
            self._touch.clear()
            watched = touched & self._watches.keys()
            if new := watched - heard:
                await subscription.subscribe(*map(keys.events, new))
            if gone := (touched - watched) & heard:
                await subscription.unsubscribe(*map(keys.events, gone))
            heard = (heard | new) - gone
            await self._touch.wait()

    async def _hear(self, subscription: PubSub) -> None:
        while True:
            message = await subscription.get_message(timeout=None)
            watches = self._watches.get(job_of_channel(message["channel"]), set())
            if message["type"] == "subscribe":
                for watch in watches:
                    watch.tell_facts()
            elif message["type"] == "message":
                _tell(watches, parse_message(message["data"]))

    def _all(self) -> list[Watch]:
        return [watch for watches in self._watches.values() for watch in watches]


def _tell(watches: Iterable[Watch], event: Event) -> None:
    if event.type == "progress":
        progress = Progress(**event.data)
        for watch in watches:
            watch.tell_progress(progress)
    elif event.type == "preview":
        preview = Preview(**event.data)
        for watch in watches:
            watch.tell_preview(preview)
    else:
        for watch in watches:
            watch.tell_facts()
