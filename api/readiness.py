"""Whether Redis and S3 answer: asked once a second by a thread, so that nobody waits for it."""

import logging
import threading
import time

from shared.connections import RedisPair
from shared.errors import (
    ConfigurationError,
    NotFound,
    NotReady,
    StorageUnavailable,
    StoreUnavailable,
)
from shared.objects import ObjectStore
from shared.store.job_store import JobStore
from shared.store.server import check_servers

CHECK_SECONDS = 1.0
STALE_SECONDS = 5.0  # a check that hangs this long counts as a refusal

logger = logging.getLogger(__name__)


class Readiness:
    """The newest answer of both servers."""

    def __init__(self, redis: RedisPair, store: JobStore, objects: ObjectStore) -> None:
        self._redis = redis
        self._suitable = False  # until the servers have been looked at, once
        self._store = store
        self._objects = objects
        self._problem: NotReady | None = NotReady("the gateway is starting")
        self._checked_at = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="readiness", daemon=True)

    def start(self) -> None:
        """Check once, then go on in the background."""
        self._check()
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a check that hangs is left to end with the process."""
        self._stop.set()
        self._thread.join(timeout=CHECK_SECONDS)

    def require(self) -> None:
        """Raise NotReady, with the reason, unless both servers answered lately."""
        problem = self._problem
        if problem is not None:
            raise type(problem)(problem.detail)
        if time.monotonic() - self._checked_at > STALE_SECONDS:
            raise NotReady("the job store or the object store does not answer in time")

    def _run(self) -> None:
        while not self._stop.wait(CHECK_SECONDS):
            self._check()

    def _check(self) -> None:
        problem: NotReady | None = None
        try:
            if not self._suitable:
                check_servers(self._redis)
                self._suitable = True
            self._store.ping()
            self._objects.check()
        except NotReady as error:
            problem = error
        except ConfigurationError as error:
            problem = StoreUnavailable(error.detail)
        except NotFound:
            problem = StorageUnavailable("the bucket does not exist")
        if (problem is None) != (self._problem is None):
            logger.warning("not ready: %s", problem.detail) if problem else logger.info("ready")
        self._problem = problem
        self._checked_at = time.monotonic()
