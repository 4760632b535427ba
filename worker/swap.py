"""Which model to load next, and which make room for it. Pure: no clock, no Redis, no tensors."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Wanted:
    """A model with waiting jobs that no live worker has."""

    id: str
    bytes: int
    oldest_seconds: float


@dataclass(frozen=True)
class Held:
    """A model in memory; `busy`: a job of it is in flight or waits."""

    id: str
    bytes: int
    busy: bool
    idle_seconds: float
    resident_seconds: float


@dataclass(frozen=True)
class Swap:
    """Load one model after these have left."""

    load: str
    evict: tuple[str, ...]


def choose_swap(
    wanted: Sequence[Wanted],
    held: Sequence[Held],
    budget_bytes: float,
    patience_seconds: float,
) -> Swap | None:
    """What to do, if anything.

    The model that is waited for longest goes first. Models without work make room at once, the
    one used longest ago first. One with work does only when the wait has passed the patience, and
    not before it was there for as long itself, so that two models do not take turns at each job.
    """
    free = budget_bytes - sum(model.bytes for model in held)
    by_age = sorted(held, key=lambda model: -model.idle_seconds)
    for model in sorted(wanted, key=lambda model: -model.oldest_seconds):
        leaving = [other for other in by_age if not other.busy]
        if model.oldest_seconds >= patience_seconds:
            leaving += [
                other
                for other in by_age
                if other.busy and other.resident_seconds >= patience_seconds
            ]
        room, evicted = free, []
        while room < model.bytes and leaving:
            evicted.append(leaving.pop(0))
            room += evicted[-1].bytes
        if room >= model.bytes:
            return Swap(model.id, tuple(other.id for other in evicted))
    return None
