"""Pictures compressed in other processes are the same, whatever becomes of those processes."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from tests.tiny_request import tiny_request
from worker.compressors import Compressors
from worker.pictures import encode_picture

PIXELS = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)

ORPHANS = """
import multiprocessing
import multiprocessing.connection
from worker.compressors import Compressors

if __name__ == "__main__":
    compressors = Compressors(2)
    for child in multiprocessing.active_children():
        print(child.pid, flush=True)
    input()
"""


@pytest.fixture(scope="module")
def compressors() -> Iterator[Compressors]:
    compressors = Compressors(1)
    yield compressors
    compressors.close()


def test_the_same_file_as_here(compressors: Compressors) -> None:
    request = tiny_request(num_images=2)
    assert compressors.encode(PIXELS, request, 1) == encode_picture(PIXELS, request, 1)


def test_a_killed_process_costs_no_picture(compressors: Compressors) -> None:
    request = tiny_request()
    compressors.encode(PIXELS, request, 0)
    killed = {child.pid for child in multiprocessing.active_children()}
    for pid in killed:
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    expected = encode_picture(PIXELS, request, 0)
    assert compressors.encode(PIXELS, request, 0) == expected  # done here
    assert compressors.encode(PIXELS, request, 0) == expected  # done by a new process
    assert killed.isdisjoint(child.pid for child in multiprocessing.active_children())


@pytest.mark.skipif(sys.platform != "linux", reason="waits for processes that are not its own")
def test_the_processes_end_with_their_parent() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", ORPHANS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    handles = [os.pidfd_open(int(parent.stdout.readline())) for _ in range(2)]
    with parent:
        parent.kill()
    for handle in handles:
        waiting = multiprocessing.connection.wait([handle], timeout=20)
        os.close(handle)
        assert waiting == [handle]
