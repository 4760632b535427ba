"""The models that a worker claims jobs for, which change while it runs."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class ClaimableModels:
    """Safe to use from any thread. `ids` is the present list, in a lasting order."""

    def __init__(self, ids: Iterable[str] = ()) -> None:
        self._door = threading.Lock()
        self._used: dict[str, float] = {}
        self.ids: tuple[str, ...] = ()
        for model_id in ids:
            self.add(model_id)

    @contextmanager
    def lending(self) -> Iterator[tuple[str, ...]]:
        """The list, from which nothing leaves before the block has ended.

        Between a claim and the attempt's entry nobody else knows that a model is in use.
        """
        with self._door:
            yield self.ids

    def took(self, model_id: str) -> None:
        """A job was claimed for this model; to be called while lending."""
        self._used[model_id] = time.monotonic()

    def idle_seconds(self, model_id: str) -> float:
        """Since the model's last claim, or since it was added."""
        return time.monotonic() - self._used[model_id]

    def add(self, model_id: str) -> None:
        """Claim for this model, too."""
        with self._door:
            self._used[model_id] = time.monotonic()
            self.ids = (*self.ids, model_id)

    def withdraw(self, model_id: str) -> None:
        """Claim for this model no more; waits for a claim that is under way."""
        with self._door:
            self.ids = tuple(other for other in self.ids if other != model_id)
