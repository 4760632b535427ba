"""A thread that steps back leaves the others where they are, and takes along those it starts."""

import os
import sys
import threading

import pytest

from worker.niceness import LAST, STEP_BACK, step_back


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own here")
def test_only_the_calling_thread_steps_back_and_those_it_starts_then():
    before = os.getpriority(os.PRIO_PROCESS, 0)
    found = []

    def note():
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    def run(target):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()

    def stepping_back():
        step_back()
        run(note)
        for _ in range(2):
            step_back()
            note()

    run(stepping_back)

    assert found == [min(before + times * STEP_BACK, LAST) for times in (1, 2, 3)]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
