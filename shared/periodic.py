"""A function called again and again on a thread of its own, through outages."""

import logging
import threading
import time
from collections.abc import Callable

from shared.errors import NotReady

log = logging.getLogger(__name__)


class Periodic:
    """Calls `action` every `seconds`, the first time at once; a slow call delays the next."""

    def __init__(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        """An action that raises NotReady is tried again at its next turn; other errors are ours."""
        self._name = name
        self._seconds = seconds
        self._action = action
        self._stopping = False
        self._awake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Let the next call come now."""
        self._awake.set()

    def stop(self) -> None:
        """Call no more; returns when the last call has."""
        self._stopping = True
        self._awake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            due = time.monotonic() + self._seconds
            try:
                self._action()
            except NotReady as error:
                log.warning("%s: %s", self._name, error.detail)
            except Exception:  # a defect in one round must not end all later ones
                log.exception("%s failed", self._name)
            self._awake.wait(max(due - time.monotonic(), 0.0))
            self._awake.clear()
