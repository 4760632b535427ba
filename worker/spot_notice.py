"""A file that announces the machine's end: the worker drains as soon as there is one."""

import logging
from collections.abc import Callable
from pathlib import Path

from shared.periodic import Periodic

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5


class SpotNotice:
    """Interruptible machines are announced to go by their provider: an agent makes the file."""

    def __init__(self, path: Path | None, drain: Callable[[], None]) -> None:
        """Without a path nobody looks."""
        self._path = path
        self._drain = drain
        self._looks = Periodic("spot-notice", LOOK_SECONDS, self.look)

    def start(self) -> None:
        """Look from now on."""
        if self._path is not None:
            self._looks.start()

    def stop(self) -> None:
        """Look no more."""
        if self._path is not None:
            self._looks.stop()

    def look(self) -> None:
        """Tell the worker to drain if the file is there."""
        if self._path is not None and self._path.exists():
            log.warning("this machine is announced to go; the worker drains")
            self._drain()
