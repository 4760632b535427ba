"""A thread that steps back leaves the others where they are."""

import os
import sys
import threading

import pytest

from worker.niceness import LAST, STEP_BACK, step_back


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own here")
def test_only_the_calling_thread_steps_back():
    before = os.getpriority(os.PRIO_PROCESS, 0)
    found = []

    def thread():
        for _ in range(3):
            step_back()
            found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    worker = threading.Thread(target=thread)
    worker.start()
    worker.join()

    assert found == [min(before + times * STEP_BACK, LAST) for times in (1, 2, 3)]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
