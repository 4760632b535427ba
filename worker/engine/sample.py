"""A sample: one image in flight, with what the batcher must know of it."""

import math
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

# LoRAs by name with their scales, sorted; none of scale 0.
LoraSet = tuple[tuple[str, float], ...]


class SampleCanceled(Exception):
    """The job was cancelled before its sample was finished."""


class EngineStopped(Exception):
    """The engine stopped before the sample was finished; another attempt may go on."""


class Kind(StrEnum):
    """What company a sample may have."""

    ORDINARY = "ordinary"
    REPRODUCIBLE = "reproducible"  # always the same padded batch, so that the bits are the same
    SUSPECT = "suspect"  # was in flight when a worker died: shares with no other job


@dataclass(frozen=True, slots=True)
class BatchKey:
    """What must be equal for samples to share a tick.

    `context_chunks` stays empty but for reproducible samples and very long prompts: a longer
    prompt in the batch repeats the others' contexts, which is equal in value but not in bits,
    and costs time. `full_precision` samples take their ticks in fp32, whatever the model's type.
    """

    model: str
    latent_shape: tuple[int, ...]
    kind: Kind
    context_chunks: tuple[int, ...] = ()
    loras: LoraSet = ()
    full_precision: bool = False


@dataclass(eq=False, slots=True)
class Sample:
    """One image of a job, from its admission to its final latent.

    The engine's thread alone writes `tick`, `narrowed` and `state`, once it is submitted, and the
    checkpointer alone what is kept; any thread may read `tick` and wait on `finished`, which
    holds the stepper's result or raises SampleCanceled, EngineStopped or a JobFailure.
    """

    job_id: str
    index: int  # which of the job's images
    key: BatchKey
    rows: int  # lines it takes in the model's batch
    ticks: int  # model calls until it is finished
    priority: int  # 0 is served first
    sequence: int  # the job's place in the worker's fair order
    state: Any  # the stepper's own
    later_ticks: int = 0  # of the pass that begins with its result; 0 where that is a picture
    earlier_ticks: int = 0  # of the pass whose result it began with
    tick: int = 0  # model calls begun; only the last of them can be still running
    narrowed: bool = False  # whether a batch with it was halved, because it did not fit
    # The tick of its newest checkpoint and the monotonic time of that; of its making before.
    kept_tick: int = 0
    kept_at: float = field(default_factory=time.monotonic)
    finished: Future[Any] = field(default_factory=Future)

    @property
    def order(self) -> tuple[int, int, int]:
        """Sorts by priority, then the job's place, then place in the job."""
        return (self.priority, self.sequence, self.index)

    @property
    def latent_area(self) -> int:
        """Height times width of its latent."""
        return math.prod(self.key.latent_shape[1:])

    def deliver(self, result: Any) -> None:
        """Hand out the result, unless the sample was ended before."""
        if not self.finished.done():
            self.finished.set_result(result)

    def fail(self, error: Exception) -> None:
        """End the sample with `error`, unless it was ended before."""
        if not self.finished.done():
            self.finished.set_exception(error)
