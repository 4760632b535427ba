"""The batcher: which samples take the next step. Pure: no tensors, no clock, no thread."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from worker.engine.rows import REPRODUCIBLE_ROWS
from worker.engine.sample import BatchKey, Kind, Sample

# A sample that others of higher priority have kept waiting for so many ticks is aged,
AGED_TICKS = 64
# and one tick in so many is led by the aged sample that waits longest.
AGED_TURN = 8


@dataclass(slots=True)
class _Group:
    """Samples that may share a tick, and the device time their key has had."""

    served: float  # milliseconds
    limit: int  # rows that a tick may have
    samples: list[Sample] = field(default_factory=list)  # in the order of their service

    @property
    def priority(self) -> int:
        return self.samples[0].priority


class Batcher:
    """Groups samples by key and lets the groups take turns.

    A group that holds a sample of higher priority always goes before one that does not. Among
    equals the group that has had the least device time goes, so that slow ticks (large
    pictures) do not take more than their share. Inside a group: priority, then the jobs' places.
    Who is not chosen is paused and keeps its state. Low priority never starves: it has an aged
    sample's turn now and then, never twice running.
    """

    def __init__(self, max_rows: Callable[[str], int]) -> None:
        """`max_rows` tells the widest batch of a model, by its id."""
        self._max_rows = max_rows
        self._groups: dict[BatchKey, _Group] = {}
        self._narrowed: dict[tuple[str, tuple[int, ...]], int] = {}  # rows, by model and shape
        self._ticks = 0
        self._last_tick: dict[Sample, int] = {}  # of each sample, or its arrival

    def __len__(self) -> int:
        return sum(len(group.samples) for group in self._groups.values())

    @property
    def groups(self) -> int:
        """How many groups take turns."""
        return len(self._groups)

    def add(self, sample: Sample) -> None:
        """Let the sample take part from the next tick on."""
        group = self._groups.get(sample.key)
        if group is None:
            # A newcomer starts level with the group served least: no credit for its absence.
            served = min((other.served for other in self._groups.values()), default=0.0)
            group = self._groups[sample.key] = _Group(served, self._limit(sample.key))
        group.samples.append(sample)
        group.samples.sort(key=lambda member: member.order)
        self._last_tick[sample] = self._ticks

    def discard(self, sample: Sample) -> None:
        """Let the sample take part no more, if it still does."""
        group = self._groups.get(sample.key)
        if group is None or sample not in group.samples:
            return
        group.samples.remove(sample)
        del self._last_tick[sample]
        if not group.samples:
            del self._groups[sample.key]

    def samples(self) -> list[Sample]:
        """All samples."""
        return [sample for group in self._groups.values() for sample in group.samples]

    def next(self) -> list[Sample]:
        """The samples of the next tick, empty where there is none.

        They share a key, and together take at most the model's `max_rows` rows, unless the
        first alone takes more.
        """
        if not self._groups:
            return []
        self._ticks += 1
        first = self._aged() or self._foremost()
        group = self._groups[first.key]
        batch = [first]
        rows = first.rows
        for sample in group.samples:
            barred = first.key.kind is Kind.SUSPECT and sample.job_id != first.job_id
            if sample is not first and rows + sample.rows <= group.limit and not barred:
                batch.append(sample)
                rows += sample.rows
        for sample in batch:
            self._last_tick[sample] = self._ticks
        return batch

    def _foremost(self) -> Sample:
        group = min(self._groups.values(), key=lambda group: (group.priority, group.served))
        return group.samples[0]

    def _aged(self) -> Sample | None:
        if self._ticks % AGED_TURN:
            return None
        highest = min(group.priority for group in self._groups.values())
        kept_waiting = [sample for sample in self.samples() if sample.priority > highest]
        longest = min(kept_waiting, key=lambda sample: self._last_tick[sample], default=None)
        if longest is None or self._ticks - self._last_tick[longest] <= AGED_TICKS:
            return None
        return longest

    def charge(self, key: BatchKey, seconds: float) -> None:
        """Count a tick's device time against its group, if it is still there."""
        group = self._groups.get(key)
        if group is not None:
            group.served += seconds * 1000

    def narrow(self, key: BatchKey, rows: int) -> None:
        """Let ticks of that model and latent shape have at most so many rows from now on."""
        shape = (key.model, key.latent_shape)
        self._narrowed[shape] = min(rows, self._narrowed.get(shape, rows))
        for other, group in self._groups.items():
            group.limit = self._limit(other)

    def _limit(self, key: BatchKey) -> int:
        fitting = self._narrowed.get((key.model, key.latent_shape), math.inf)
        if key.kind is Kind.REPRODUCIBLE:
            return REPRODUCIBLE_ROWS
        return int(min(self._max_rows(key.model), fitting))
