"""A thread that does things in batches: as many at once as have come together meanwhile."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Coalescer(Generic[Item]):
    """Calls `work` with what was added since its last call, in order, from one thread.

    `pause_seconds` is the least time between two calls: the first one comes at once all the same.
    `work` must not raise.
    """

    def __init__(
        self, name: str, work: Callable[[list[Item]], None], pause_seconds: float = 0.0
    ) -> None:
        self._work = work
        self._pause_seconds = pause_seconds
        self._waiting: list[Item] = []
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Do what waits, then end."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def add(self, item: Item) -> None:
        """Have `item` done soon; returns at once."""
        with self._changed:
            self._waiting.append(item)
            self._changed.notify()

    def _run(self) -> None:
        while batch := self._take():
            self._work(batch)
            time.sleep(self._pause_seconds)

    def _take(self) -> list[Item]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            batch, self._waiting = self._waiting, []
            return batch
