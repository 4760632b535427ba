"""A true stepper without a model: a state is a number, and a step adds one to it."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from worker.engine.rows import padded_rows
from worker.engine.sample import BatchKey, Kind, Sample
from worker.engine.stepper import Outcome

KEY = BatchKey(model="toy", latent_shape=(4, 8, 8), kind=Kind.ORDINARY)


@dataclass
class ToyTick:
    """Ends when `landed` is set."""

    outcome: Outcome
    landed: threading.Event

    def done(self) -> bool:
        return self.landed.is_set()

    def wait(self) -> Outcome:
        self.landed.wait()
        return self.outcome


@dataclass(frozen=True)
class ToySnapshot:
    """The number."""

    tick: int
    number: bytes
    shape: tuple[int, ...] = (1,)

    def content(self) -> bytes:
        return self.number


@dataclass
class ToyStepper:
    """Notes every batch; a test holds it, or makes a launch fail, where it likes."""

    max_rows: int = 8
    seconds: float = 0.001
    # Whether ticks land by themselves; otherwise `land` ends the oldest.
    lands: bool = True
    on_launch: Callable[[Sequence[Sample]], None] = lambda samples: None
    batches: list[tuple[Sample, ...]] = field(default_factory=list)
    in_flight: list[ToyTick] = field(default_factory=list)
    invalid: set[str] = field(default_factory=set)

    def admit(self, sample: Sample) -> None:
        sample.state += 0

    def launch(self, samples: Sequence[Sample]) -> ToyTick:
        self.on_launch(samples)
        self.batches.append(tuple(samples))
        for sample in samples:
            sample.state += 1
        rows = padded_rows(sum(sample.rows for sample in samples), samples[0].key.kind)
        invalid = tuple(sample for sample in samples if sample.job_id in self.invalid)
        tick = ToyTick(Outcome(self.seconds, rows, invalid), threading.Event())
        if self.lands:
            tick.landed.set()
        self.in_flight.append(tick)
        return tick

    def snapshot(self, sample: Sample) -> "ToySnapshot":
        return ToySnapshot(sample.tick, bytes([sample.state]))

    def result(self, sample: Sample) -> int:
        return sample.state


def make_sample(
    job_id: str = "job",
    *,
    index: int = 0,
    key: BatchKey = KEY,
    rows: int = 2,
    ticks: int = 4,
    priority: int = 1,
    sequence: int = 0,
) -> Sample:
    return Sample(
        job_id=job_id,
        index=index,
        key=key,
        rows=rows,
        ticks=ticks,
        priority=priority,
        sequence=sequence,
        state=0,
    )
