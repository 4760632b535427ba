"""Redis and S3 are waited out: an operation is tried again for as long as its attempt may go on."""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from shared.errors import NotReady
from worker.attempts import Attempt

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0

T = TypeVar("T")


def persist(
    attempt: Attempt, operation: Callable[[], T], patience_seconds: float = float("inf")
) -> T:
    """The operation's result; Redis and S3 are waited for while the attempt may go on.

    Raises:
        AttemptEnded: the attempt was told to end, before or meanwhile.
        StoreUnavailable, StorageUnavailable: the patience is at its end.
    """
    patient_until = time.monotonic() + patience_seconds
    pause = FIRST_PAUSE_SECONDS
    while True:
        attempt.pause(0)
        try:
            return operation()
        except NotReady as error:
            if time.monotonic() > patient_until:
                raise
            log.warning("waiting: %s", error.detail)
        attempt.pause(pause * random.uniform(0.5, 1.0))
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
