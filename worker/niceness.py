"""Job threads and compressing processes step back behind the device threads for a core."""

import os
import sys
import threading

# Measured on two cores beside eight threads that compress pictures: a tick takes a third as long.
STEP_BACK = 10
LAST = 19


def step_back() -> None:
    """Lower the calling thread's priority; on Linux a thread has one of its own."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        present = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, min(present + STEP_BACK, LAST))
