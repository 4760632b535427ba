"""Where an attempt's time goes: a stopwatch for each stage, told in record, metrics, trace."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from shared.job import Timing
from shared.tracing import UNTRACED, Tracing
from worker.metrics import WorkerMetrics


class Stages:
    """The stopwatches of one attempt; each is used by one thread at a time.

    A stage's time is the sum of what its pictures took, each for itself. While one picture of a
    job is encoded and uploaded the next is denoised and decoded, so that the stages of several may
    add up to more than the job took; those of a single picture never do.
    """

    def __init__(
        self, metrics: WorkerMetrics, queue_seconds: float, tracing: Tracing = UNTRACED
    ) -> None:
        """`queue_seconds`: from the job's submission to this attempt's claim."""
        self._metrics = metrics
        self._tracing = tracing
        self._queue_seconds = queue_seconds
        self._began = time.monotonic()
        self._seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time of the block to the stage; a stage may come several times."""
        began = time.monotonic()
        try:
            with self._tracing.span(name):
                yield
        finally:
            seconds = time.monotonic() - began
            self._seconds[name] += seconds
            self._metrics.stage_seconds.labels(name).observe(seconds)

    @property
    def total_seconds(self) -> float:
        """From the job's submission until now."""
        return self._queue_seconds + time.monotonic() - self._began

    def timing(self) -> Timing:
        """The record's form: milliseconds, None for a stage that never came."""

        def milliseconds(name: str) -> int | None:
            return round(self._seconds[name] * 1000) if name in self._seconds else None

        return Timing(
            queue_ms=round(self._queue_seconds * 1000),
            prepare_ms=milliseconds("prepare"),
            denoise_ms=milliseconds("denoise"),
            decode_ms=milliseconds("decode"),
            encode_ms=milliseconds("encode"),
            upload_ms=milliseconds("upload"),
            total_ms=round(self.total_seconds * 1000),
        )
