"""Looks what is waited for and changes the worker's models accordingly, beside running work."""

import logging
import time
from collections.abc import Callable

from shared.errors import ConfigurationError, JobFailure
from shared.periodic import Periodic
from shared.store.job_store import JobStore
from worker.attempts import Attempts
from worker.engine.engine import Engine
from worker.engine.sample import EngineStopped
from worker.shelf import Shelf
from worker.swap import Held, Swap, Wanted, choose_swap

log = logging.getLogger(__name__)

CHECK_SECONDS = 1.0
# A model that could not be loaded is left alone for this long.
REFUSED_SECONDS = 60.0


class Residency:
    """A thread that looks once a second while some model of this worker is not in memory."""

    def __init__(
        self,
        worker_id: str,
        store: JobStore,
        shelf: Shelf,
        engine: Engine,
        attempts: Attempts,
        patience_seconds: float,
        announce: Callable[[], object],
    ) -> None:
        """`announce` tells the others what this worker holds now."""
        self._worker_id = worker_id
        self._store = store
        self._shelf = shelf
        self._engine = engine
        self._attempts = attempts
        self._patience_seconds = patience_seconds
        self._announce = announce
        self._refused_until: dict[str, float] = {}
        self._stopping = False
        self._periodic = Periodic("residency", CHECK_SECONDS, self.check)

    def start(self) -> None:
        """Look from now on."""
        self._periodic.start()

    def request_stop(self) -> None:
        """Begin nothing more. What is being loaded is not waited for: the process ends."""
        self._stopping = True

    def check(self) -> None:
        """Make one change, if one is called for."""
        if self._stopping or self._shelf.entries.keys() == self._shelf.models.keys():
            return
        swap = self._choose()
        if swap is None or not self._store.reserve_load(swap.load, self._worker_id):
            return
        try:
            self._carry_out(swap)
        except (ConfigurationError, JobFailure) as error:
            log.error("model could not be loaded: %s", error.detail, extra={"model": swap.load})
            self._refused_until[swap.load] = time.monotonic() + REFUSED_SECONDS
        except EngineStopped:
            log.info("the worker ended while it loaded a model", extra={"model": swap.load})
        self._announce()

    def _choose(self) -> Swap | None:
        lanes = self._store.lanes()
        waits: dict[str, float] = {}
        for (model, _), lane in lanes.items():
            waits[model] = max(lane.oldest_seconds, waits.get(model, 0.0))
        elsewhere = {
            model
            for worker in self._store.live_workers()
            if worker.id != self._worker_id
            for model in (*worker.models, *worker.loading)
        }
        now = time.monotonic()
        shelf = self._shelf
        wanted = [
            Wanted(model, shelf.bytes_of(model), waits[model])
            for model in shelf.entries
            if model in waits
            and model not in shelf.models
            and model not in elsewhere
            and self._refused_until.get(model, 0.0) <= now
        ]
        in_flight = self._attempts.models()
        held = [
            Held(
                id=model,
                bytes=shelf.bytes_of(model),
                busy=model in in_flight or model in waits,
                idle_seconds=shelf.claimable.idle_seconds(model),
                resident_seconds=now - place.since,
            )
            for model, place in shelf.places.items()
        ]
        return choose_swap(wanted, held, shelf.budget_bytes, self._patience_seconds)

    def _carry_out(self, swap: Swap) -> None:
        log.info("loading a model", extra={"model": swap.load, "evicted": swap.evict})
        shelf = self._shelf
        shelf.loading = (swap.load,)
        try:
            shelf.examine(swap.load)
            self._announce()
            for model in swap.evict:
                shelf.evict(model, self._engine, self._attempts, self._is_stopping)
                self._announce()
            shelf.load(swap.load, self._engine)
        finally:
            shelf.loading = ()

    def _is_stopping(self) -> bool:
        return self._stopping
