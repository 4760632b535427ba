"""The way out: a decoded picture is compressed, stored and told while the next one is made."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass
from queue import Queue
from types import TracebackType
from typing import NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from shared.job import JobWarning
from shared.request import GenerationRequest
from worker.models.viewer import View
from worker.shipment import Shipment
from worker.stages import Stages
from worker.workshop import Workshop

WAITING = 1  # pictures behind the one that leaves; who brings another waits


@dataclass(frozen=True, eq=False)
class Decoded:
    """One picture of a job.

    Attributes:
        index: which of the job's images.
        pixels: [height, width, 3].
        frames: of its trajectory; None where it has none.
        warnings: of this picture.
        finished_at: when its last tick was known to be done, by the monotonic clock.
    """

    index: int
    pixels: NDArray[np.uint8]
    frames: Sequence[View] | None
    warnings: Sequence[JobWarning]
    finished_at: float


class WayOut:
    """Lets one attempt's pictures leave in their order, one at a time, on a thread of its own.

    To be entered by the job's thread; leaving it waits until every picture is out, and raises what
    one of them has raised. After a first failure no further picture leaves.

    `failed` raises that failure too, for those who wait for something else meanwhile.
    """

    def __init__(
        self,
        shop: Workshop,
        request: GenerationRequest,
        stages: Stages,
        shipment: Shipment,
        *,
        alone: bool,
    ) -> None:
        """`alone`: there is one picture only, which leaves on the job's thread."""
        self.failed: Future[NoReturn] = Future()
        self._shop = shop
        self._request = request
        self._stages = stages
        self._shipment = shipment
        self._waiting: Queue[Decoded | None] = Queue(WAITING)
        self._thread: threading.Thread | None = None
        if not alone:
            # In the job's context, for its logs and its trace, and with the priority of its
            # thread, which Linux hands down. The process does not wait for it in order to end.
            self._thread = threading.Thread(
                target=copy_context().run, args=(self._run,), name="way out", daemon=True
            )

    def __enter__(self) -> Self:
        if self._thread is not None:
            self._thread.start()
        return self

    def take(self, picture: Decoded) -> None:
        """Let this picture leave; waits while there are two before it.

        Raises:
            AttemptEnded, StorageUnavailable: as Shipment.send, for this or an earlier picture.
        """
        if self.failed.done():
            self.failed.result()
        if self._thread is None:
            self._leave(picture)
        else:
            self._waiting.put(picture)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
        if error is None and self.failed.done():
            self.failed.result()

    def _run(self) -> None:
        while (picture := self._waiting.get()) is not None:
            if self.failed.done():
                continue
            try:
                self._leave(picture)
            except Exception as error:  # noqa: BLE001 the job's thread raises it
                self.failed.set_exception(error)

    def _leave(self, picture: Decoded) -> None:
        compressors, index = self._shop.compressors, picture.index
        with self._stages.stage("encode"):
            encoded = compressors.encode(picture.pixels, self._request, index)
            trajectory = None
            if picture.frames is not None:
                frames = [view.pixels() for view in picture.frames]
                trajectory = compressors.encode_trajectory(frames, picture.pixels, self._request)
        with self._stages.stage("upload"):
            self._shipment.send(index, encoded, trajectory, picture.warnings)
        self._shop.pacer.stored(self._request.model, time.monotonic() - picture.finished_at)
