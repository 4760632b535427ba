"""A stepper that enters every tick in the flight record before it is launched."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from worker.engine.sample import Sample
from worker.engine.stepper import DeviceLost, Outcome, Snapshot, Stepper, Tick
from worker.flight_record import FlightRecord


@dataclass(frozen=True, slots=True)
class _RecordedTick:
    tick: Tick
    record: FlightRecord
    job_ids: frozenset[str]

    def done(self) -> bool:
        return self.tick.done()

    def wait(self) -> Outcome:
        try:
            outcome = self.tick.wait()
        except DeviceLost:
            self.record.freeze()
            raise
        self.record.landed(self.job_ids)
        return outcome


class RecordedStepper:
    """Passes everything on to `stepper`."""

    def __init__(self, stepper: Stepper, record: FlightRecord) -> None:
        self._stepper = stepper
        self._record = record

    @property
    def max_rows(self) -> int:
        """The widest batch worth launching."""
        return self._stepper.max_rows

    def admit(self, sample: Sample) -> None:
        """Bring the sample's state to the device."""
        self._stepper.admit(sample)

    def launch(self, samples: Sequence[Sample]) -> Tick:
        """Begin a tick. One that the device refuses and survives leaves no blame."""
        job_ids = frozenset(sample.job_id for sample in samples)
        self._record.launched(job_ids)
        try:
            tick = self._stepper.launch(samples)
        except DeviceLost:
            self._record.freeze()
            raise
        except Exception:
            self._record.landed(job_ids)
            raise
        return _RecordedTick(tick, self._record, job_ids)

    def snapshot(self, sample: Sample) -> Snapshot:
        """Begin to copy the sample's state."""
        return self._stepper.snapshot(sample)

    def result(self, sample: Sample) -> Any:
        """The final latent of a sample whose last tick has been waited for."""
        return self._stepper.result(sample)
