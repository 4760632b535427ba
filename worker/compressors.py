"""Processes that compress pictures, so that the engine's thread never waits for their interpreter.

Compression lets go of the interpreter's lock and takes it again many times a picture. A thread that
has it, but no core, holds up the engine for milliseconds, and the lower its priority, the longer.
"""

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.connection import wait
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from shared.request import GenerationRequest
from worker.animation import encode_preview, encode_trajectory
from worker.niceness import step_back
from worker.pictures import EncodedPicture, encode_picture

log = logging.getLogger(__name__)

T = TypeVar("T")


class Compressors:
    """A pool of `count` processes, which start while their maker goes on with other things.

    `marked`: their files say that a machine made the picture.
    """

    def __init__(self, count: int, *, marked: bool = True) -> None:
        self._count = count
        self._marked = marked
        self._pool = self._start()
        self._replacing = threading.Lock()

    def encode(
        self, pixels: NDArray[np.uint8], request: GenerationRequest, index: int
    ) -> EncodedPicture:
        """As `encode_picture`, which it waits for in another process. From any thread."""
        return self._call(partial(encode_picture, pixels, request, index, marked=self._marked))

    def encode_preview(self, pixels: NDArray[np.uint8], request: GenerationRequest) -> bytes:
        """As the function of that name, in another process."""
        return self._call(partial(encode_preview, pixels, request, marked=self._marked))

    def encode_trajectory(
        self,
        frames: list[NDArray[np.uint8]],
        finished: NDArray[np.uint8],
        request: GenerationRequest,
    ) -> EncodedPicture:
        """As the function of that name, in another process."""
        return self._call(
            partial(encode_trajectory, frames, finished, request, marked=self._marked)
        )

    def close(self) -> None:
        """End the processes after what they have begun."""
        self._pool.shutdown()

    def _call(self, task: Callable[[], T]) -> T:
        pool = self._pool
        try:
            return pool.submit(task).result()
        except BrokenProcessPool:
            # Somebody ended one of them, the system perhaps, for its memory.
            self._replace(pool)
            return task()

    def _replace(self, broken: ProcessPoolExecutor) -> None:
        with self._replacing:
            if self._pool is broken:
                log.error("a compressing process is gone; starting new ones")
                self._pool = self._start()

    def _start(self) -> ProcessPoolExecutor:
        # Spawned, since a fork would copy the threads' locks and the device.
        pool = ProcessPoolExecutor(
            self._count, multiprocessing.get_context("spawn"), initializer=_begin
        )
        # The pool starts one process for each task that finds none idle.
        for _ in range(self._count):
            pool.submit(os.getpid)
        return pool


def _begin() -> None:
    """In the new process: step back, leave signals to the parent, and end when it ends."""
    step_back()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        wait([parent.sentinel])
        os._exit(0)

    threading.Thread(target=follow, name="follow", daemon=True).start()
