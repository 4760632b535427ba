"""A wish to stop, noted by the signal handlers and acted on between two steps."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stop_signals() -> Iterator[Event]:
    """An event that SIGTERM, SIGHUP and Ctrl-C set, instead of ending the process.

    Raising from a handler could lose a child that has just been started.
    """
    stopping = Event()

    def note(signum: int, frame: FrameType | None) -> None:
        stopping.set()

    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
