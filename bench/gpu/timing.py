"""Times of several ways to do the same, in interleaved rounds, as the device sees them."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from worker.engine.batcher import Batcher
from worker.engine.engine import Engine, TickReport
from worker.models.resident import ResidentModel

ROUNDS = 5


def wait() -> None:
    """Until the device has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def seconds(run: Callable[[], object]) -> float:
    """Wall time of one run to the device's end of it."""
    wait()
    began = time.perf_counter()
    run()
    wait()
    return time.perf_counter() - began


def interleaved(
    ways: Mapping[str, Callable[[], object]], rounds: int = ROUNDS
) -> dict[str, dict[str, float]]:
    """Every way once a round, after one round that does not count: milliseconds."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(1 + rounds):
        for name, run in ways.items():
            took = seconds(run)
            if number:
                taken[name].append(took * 1000)
    return {name: spread(values) for name, values in taken.items()}


def spread(values: list[float]) -> dict[str, float]:
    """Median, least and most."""
    return {
        "median": round(statistics.median(values), 3),
        "least": round(min(values), 3),
        "most": round(max(values), 3),
    }


@contextmanager
def serving(
    model: ResidentModel, observe: Callable[[TickReport], None] = lambda report: None
) -> Iterator[Engine]:
    """An engine for this model, which is warm."""
    steppers: Any = {model.entry.id: model.stepper}
    batcher = Batcher(lambda _: model.stepper.max_rows)
    engine = Engine(batcher, steppers, observe, torch.inference_mode)
    engine.start()
    try:
        model.warm_up(engine)
        yield engine
    finally:
        engine.stop()
        model.close()
