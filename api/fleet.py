"""Which models live workers hold warm, as of at most a second ago."""

import threading
import time

from shared.store.job_store import JobStore

FRESH_SECONDS = 1.0


class Fleet:
    """A cached look at the workers' heartbeat records."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._looked_at = float("-inf")
        self._models: frozenset[str] = frozenset()

    def models(self) -> frozenset[str]:
        """Ids of the models that some live worker has; raises StoreUnavailable."""
        with self._lock:
            if time.monotonic() - self._looked_at > FRESH_SECONDS:
                workers = self._store.live_workers()
                self._models = frozenset(model for worker in workers for model in worker.models)
                self._looked_at = time.monotonic()
            return self._models
