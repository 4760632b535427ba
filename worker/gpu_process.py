"""The GPU process: one life of the worker, forked by the supervisor that watches over it."""

import logging
import os
import sys
import threading

from shared.errors import ConfigurationError, StoreUnavailable
from worker.flight_record import FlightRecord
from worker.metrics import Inheritance
from worker.runtime import build
from worker.settings import Settings

log = logging.getLogger(__name__)

MISCONFIGURED = 2
DEFECT = 70


def live(
    settings: Settings, worker_id: str, record: FlightRecord, past: Inheritance, lifeline: int
) -> int:
    """Work until told to stop; the exit status.

    `lifeline` is the reading end of a pipe whose other end the supervisor holds: it closes when
    the supervisor dies, however it dies.
    """
    try:
        runtime = build(settings, worker_id, record, past)
    except ConfigurationError as error:
        print(f"tessera worker: {error.detail}", file=sys.stderr)  # noqa: T201 for whoever started it
        return MISCONFIGURED
    except StoreUnavailable as error:
        log.error("cannot start: %s (TESSERA_REDIS_URL)", error.detail)
        return DEFECT

    def watch() -> None:
        os.read(lifeline, 1)
        log.error("the supervisor is gone")
        runtime.abandon()

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
    return runtime.run()
