"""What the engine needs of a model: to begin a tick for some samples and to end it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from worker.engine.sample import Sample


class DeviceLost(Exception):
    """The device is beyond repair; only a new process can use it again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tick turned out to be.

    Attributes:
        seconds: time the device took.
        padded_rows: size of the model's batch.
        invalid: samples whose state is no longer finite.
    """

    seconds: float
    padded_rows: int
    invalid: tuple[Sample, ...] = ()


class Tick(Protocol):
    """A model call under way."""

    def done(self) -> bool:
        """Whether `wait` would return at once."""
        ...

    def wait(self) -> Outcome:
        """Block until the device has finished. Raises DeviceLost."""
        ...


class Snapshot(Protocol):
    """A sample's state between two ticks, on its way to the host."""

    @property
    def tick(self) -> int:
        """The sample's, when it was taken."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the state."""
        ...

    def content(self) -> bytes | None:
        """The state, once it has arrived; None where it is not finite. From any thread."""
        ...


class Stepper(Protocol):
    """One model's part of the engine. All calls come from the engine's thread."""

    @property
    def max_rows(self) -> int:
        """The widest batch worth launching."""
        ...

    def admit(self, sample: Sample) -> None:
        """Bring the sample's state to the device."""
        ...

    def launch(self, samples: Sequence[Sample]) -> Tick:
        """Begin step `sample.tick` of each sample; they share one BatchKey.

        When it raises, no state has changed: DeviceLost, ResourceExhausted where the batch does
        not fit, anything else where one of the samples is at fault.
        """
        ...

    def snapshot(self, sample: Sample) -> Snapshot:
        """Begin to copy the sample's state as it is after the ticks launched so far."""
        ...

    def result(self, sample: Sample) -> Any:
        """The final latent of a sample whose last tick has been waited for."""
        ...
