"""A tick's clock and its end, on either kind of device."""

import time
from collections.abc import Sequence
from math import isfinite

import torch
from torch import Tensor

from worker.engine.sample import Sample
from worker.engine.stepper import Outcome
from worker.models.device import Device, translated_device_errors


class HostTick:
    """On a CPU the work is done when the launching calls return."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    def launched(self, samples: Sequence[Sample], rows: int, sums: Tensor | None) -> None:
        """Everything is launched; `sums[i]` is finite where sample i is, None is not looked at."""
        seconds = time.perf_counter() - self._began
        self._outcome = Outcome(seconds, rows, _invalid(samples, sums))

    def done(self) -> bool:
        """Whether `wait` would return at once."""
        return True

    def wait(self) -> Outcome:
        """What the tick turned out to be."""
        return self._outcome


class CudaTick:
    """On CUDA events mark the tick's ends in the stream, and the flags follow on their own."""

    def __init__(self) -> None:
        self._began = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        self._ended = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        self._began.record()

    def launched(self, samples: Sequence[Sample], rows: int, sums: Tensor | None) -> None:
        """Everything is launched; `sums[i]` is finite where sample i is, None is not looked at."""
        self._samples = samples
        self._rows = rows
        self._sums = None
        if sums is not None:
            self._sums = torch.empty(sums.shape, dtype=sums.dtype, pin_memory=True)
            self._sums.copy_(sums, non_blocking=True)
        self._ended.record()

    def done(self) -> bool:
        """Whether `wait` would return at once."""
        with translated_device_errors():
            return bool(self._ended.query())  # type: ignore[no-untyped-call]

    def wait(self) -> Outcome:
        """Block until the device has passed the tick's end."""
        with translated_device_errors():
            self._ended.synchronize()
            seconds = self._began.elapsed_time(self._ended) / 1000
        return Outcome(seconds, self._rows, _invalid(self._samples, self._sums))


def begin_tick(device: Device) -> HostTick | CudaTick:
    """Start the clock of a tick on this device."""
    return CudaTick() if device.is_cuda else HostTick()


def _invalid(samples: Sequence[Sample], sums: Tensor | None) -> tuple[Sample, ...]:
    if sums is None:
        return ()
    found = zip(samples, sums.tolist(), strict=True)
    return tuple(sample for sample, total in found if not isfinite(total))
