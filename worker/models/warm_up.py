"""Warm-up: what a model can do on this device, measured before it takes work."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared.errors import ResourceExhausted
from worker.engine.rows import ROW_BUCKETS
from worker.models.attention import AttentionChoice

# The knee is the smallest batch with this share of the best throughput: beyond it, more rows
# only make everybody's tick longer.
KNEE_SHARE = 0.95

# Two guided samples share a tick even where one alone has the best throughput; else a long job
# would hold up a short one.
LEAST_ROWS = 4

# Timed ticks of a bucket, after one that is not timed: a few, but no more once they have taken
# this long, because slow ticks vary less and readiness waits for them.
ROUNDS = 3
ENOUGH_SECONDS = 0.05

# Where ticks are this long, readiness waits a good while for each bucket: the first that is in
# vain has to do.
LONG_SECONDS = 0.15


@dataclass(frozen=True)
class WarmUp:
    """What warm-up found.

    Attributes:
        attention: the kernels that were chosen.
        max_rows: the knee.
        tick_seconds: device time of a tick by row bucket, as far as it was worth trying.
        image_seconds: one picture through prompt, engine and decoder, with the model's defaults,
            reckoned from one of fewer steps and a tick's time.
        preview_fit: R squared of the map that makes previews.
        float8: whether the UNet's linear layers have 8 bits.
        float8_decibels: how close pictures come with that; None where it was not tried.
    """

    attention: AttentionChoice
    max_rows: int
    tick_seconds: Mapping[int, float]
    image_seconds: float
    preview_fit: float
    float8: bool
    float8_decibels: float | None


def measure_ticks(time_tick: Callable[[int], float]) -> dict[int, float]:
    """Seconds a tick takes by row bucket: the best of a few rounds each.

    Ends with the second bucket in a row that hardly raises the best throughput (with the first,
    where ticks are long), for the knee lies before it, or where the device's memory ends.
    """
    seconds: dict[int, float] = {}
    best_throughput = 0.0
    in_vain = 0
    for rows in ROW_BUCKETS:
        try:
            seconds[rows] = _time(rows, time_tick)
        except ResourceExhausted:
            if not seconds:
                raise
            break
        throughput = rows / seconds[rows]
        in_vain = 0 if KNEE_SHARE * throughput > best_throughput else in_vain + 1
        best_throughput = max(best_throughput, throughput)
        if in_vain == (1 if seconds[rows] > LONG_SECONDS else 2):
            break
    return seconds


def _time(rows: int, time_tick: Callable[[int], float]) -> float:
    time_tick(rows)
    timed = [time_tick(rows)]
    while len(timed) < ROUNDS and sum(timed) < ENOUGH_SECONDS:
        timed.append(time_tick(rows))
    return min(timed)


def find_knee(tick_seconds: Mapping[int, float]) -> int:
    """The rows that a batch should have at most."""
    throughput = {rows: rows / seconds for rows, seconds in tick_seconds.items()}
    worth_it = KNEE_SHARE * max(throughput.values())
    return max(LEAST_ROWS, min(rows for rows in throughput if throughput[rows] >= worth_it))
