"""What the gateway knows of the others: do Redis and S3 answer, which models do workers hold.

A thread asks, so that nobody waits for it.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from shared.errors import ConfigurationError, NotReady, StoreUnavailable
from shared.objects import ObjectStore
from shared.store.job_store import JobStore
from shared.store.workers import WorkerRecord, WorkerState

WORKERS_SECONDS = 0.25  # told times are as good as what is known of the workers is new
# But a thousand workers' records take long to read: a pause is so many times as long as that.
PAUSES = 20
LONGEST_PAUSE_SECONDS = 1.0
OBJECTS_SECONDS = 1.0
STALE_SECONDS = 5.0  # a check that hangs this long counts as a refusal

logger = logging.getLogger(__name__)


class Surroundings:
    """The newest answers. `first_contact` is called before anything is asked, until it succeeds."""

    def __init__(
        self,
        store: JobStore,
        objects: ObjectStore,
        first_contact: Callable[[], None],
        observe: Callable[[NotReady | None], None],
    ) -> None:
        """`observe` is told each check's outcome."""
        self._store = store
        self._objects = objects
        self._first_contact = first_contact
        self._observe = observe
        self._acquainted = False
        self._workers: tuple[WorkerRecord, ...] = ()
        self._problem: NotReady | None = NotReady("the gateway is starting")
        self._checked_at = time.monotonic()
        self._objects_good_at = -math.inf
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="surroundings", daemon=True)

    def check_settings(self) -> None:
        """Raise ConfigurationError where a server answers, but not for these settings."""
        with suppress(StoreUnavailable):
            self._first_contact()
        self._objects.check_settings()

    def start(self) -> None:
        """Ask once, then go on in the background."""
        self._check()
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a check that hangs is left to end with the process."""
        self._stop.set()
        self._thread.join(timeout=OBJECTS_SECONDS)

    @property
    def models(self) -> frozenset[str]:
        """Ids of the models that some live worker has."""
        return frozenset(model for worker in self._workers for model in worker.models)

    @property
    def workers(self) -> tuple[WorkerRecord, ...]:
        """The live workers, without those that take no more jobs."""
        return self._workers

    def require_ready(self) -> None:
        """Raise NotReady, with the reason, unless both servers answered lately."""
        problem = self._problem
        if problem is not None:
            raise type(problem)(problem.detail)
        if time.monotonic() - self._checked_at > STALE_SECONDS:
            raise NotReady("the job store or the object store does not answer in time")

    def _run(self) -> None:
        pause = WORKERS_SECONDS
        while not self._stop.wait(pause):
            began = time.monotonic()
            self._check()
            took = time.monotonic() - began
            pause = min(max(PAUSES * took, WORKERS_SECONDS), LONGEST_PAUSE_SECONDS)

    def _check(self) -> None:
        problem: NotReady | None = None
        try:
            self._ask()
        except NotReady as error:
            problem = error
        except ConfigurationError as error:
            problem = NotReady(error.detail)
        if (problem is None) != (self._problem is None):
            logger.warning("not ready: %s", problem.detail) if problem else logger.info("ready")
        self._observe(problem)
        self._problem = problem
        self._checked_at = time.monotonic()

    def _ask(self) -> None:
        if not self._acquainted:
            self._first_contact()
            self._acquainted = True
        live = self._store.live_workers()
        self._workers = tuple(worker for worker in live if worker.state is not WorkerState.DRAINING)
        if time.monotonic() - self._objects_good_at >= OBJECTS_SECONDS:
            self._objects.check()
            self._objects_good_at = time.monotonic()
