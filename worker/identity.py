"""What a worker tells of itself to gateways and to other workers."""

import socket
import time
from collections.abc import Callable

from shared.pace import WorkerPace
from shared.store.workers import WorkerRecord, WorkerState
from worker.shelf import Shelf


class WorkerIdentity:
    """What the worker says of itself: its state, and the models that it holds."""

    def __init__(self, worker_id: str, shelf: Shelf, pace: Callable[[], WorkerPace]) -> None:
        self.state = WorkerState.STARTING
        self.worker_id = worker_id
        self._shelf = shelf
        self._pace = pace
        self._started_at = time.time()

    def record(self) -> WorkerRecord:
        """The record of this moment."""
        held = {model: place.held for model, place in self._shelf.places.items()}
        return WorkerRecord(
            id=self.worker_id,
            host=socket.gethostname(),
            models=self._shelf.claimable.ids,
            loading=self._shelf.loading,
            held=held,
            max_rows=max((model.max_rows for model in held.values()), default=0),
            state=self.state,
            started_at=self._started_at,
            pace=self._pace(),
        )
