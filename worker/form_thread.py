"""The thread that builds a model's forms while the model serves."""

import threading
from collections.abc import Callable

from worker.engine.sample import EngineStopped


class FormThread:
    """Begins at once; ends by itself, or after the form in work once it is told to."""

    def __init__(self, build: Callable[[Callable[[], bool]], None]) -> None:
        """`build` is given what tells whether to stop."""
        self._build = build
        self._stopping = threading.Event()
        # A compiler cannot be interrupted, and the process does not wait for it.
        self._thread = threading.Thread(target=self._run, name="forms", daemon=True)
        self._thread.start()

    def request_stop(self) -> None:
        """Let nothing more be begun."""
        self._stopping.set()

    def stop(self) -> None:
        """Let nothing more be begun, and wait for what is being built."""
        self.request_stop()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._build(self._stopping.is_set)
        except EngineStopped:
            return
