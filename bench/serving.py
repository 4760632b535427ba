"""Mixed requests under load on a device with a fixed law of step time: the engine beside others.

The real engine and batcher, in virtual time, against one request after the other and batches of
requests with the usual key (equal steps, sampler and guidance) and with the strong one (equal
steps suffice), both at their best: no overhead, no padding, and what waits joins without a window.
`real_time_throughput_of_simulation` tells what the engine loses to its own overhead.
"""

import json
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from bench.figures import ratios, summary
from bench.lawful_device import serve_really, serve_virtually
from bench.policies import (
    MEAN_STEPS,
    Asked,
    Law,
    poisson_trace,
    serve_batches,
    serve_steps,
    strong_key,
    usual_key,
)
from worker.models.warm_up import find_knee, measure_ticks

REQUESTS = 1000
SEEDS = range(1, 6)
MOST_IN_BATCH = 8
WINDOW_SECONDS = 0.020
SATURATED_ROWS = 16
MEAN_ROWS = 5 / 3  # of three guidances, one is 1
SLOWEST_SOLO = 3  # a request is in time within so many times what it takes alone
REAL_REQUESTS = 30
REAL_OVERLOAD = 2.0  # of what the saturated device serves


def step_law(floor: float, picture: float) -> Law:
    """A step takes a floor, or so much for each picture of two rows."""
    return lambda rows: max(floor, picture * rows / 2)


LAWS = {"sd15": step_law(0.0095, 0.00325), "sdxl": step_law(0.045, 0.025)}  # of an H100's kind
# Per cent of what one request after the other allows, and of what full batches do.
SERIAL_LOADS = (50, 80, 120)
SATURATED_LOADS = (90,)

Way = Callable[[Sequence[Asked]], list[float]]


def serial_rate(law: Law) -> float:
    """Requests a second, one after the other."""
    return 1 / (MEAN_STEPS * law(2))


def saturated_rate(law: Law) -> float:
    """Requests a second in batches so wide that wider ones gain nothing."""
    return SATURATED_ROWS / (law(SATURATED_ROWS) * MEAN_STEPS * MEAN_ROWS)


def judge(trace: Sequence[Asked], ends: Sequence[float], law: Law) -> dict[str, float]:
    """What a client would say of it: seconds, requests a second, and the part that was in time."""
    waits = [end - asked.at for asked, end in zip(trace, ends, strict=True)]
    cuts = statistics.quantiles(waits, n=100)
    in_time = sum(
        wait <= SLOWEST_SOLO * asked.steps * law(asked.rows)
        for asked, wait in zip(trace, waits, strict=True)
    )
    return {
        "mean_s": statistics.mean(waits),
        "p50_s": cuts[49],
        "p99_s": cuts[98],
        "per_second": len(trace) / (max(ends) - trace[0].at),
        "in_time": in_time / len(trace),
    }


def ways(law: Law, max_rows: int) -> dict[str, Way]:
    """Every way to serve a trace on this device."""

    def batches(key: Any, window: float = 0.0) -> Way:
        return lambda trace: serve_batches(trace, law, key, MOST_IN_BATCH, window)

    return {
        "engine": lambda trace: serve_virtually(trace, law, max_rows),
        "simulation": lambda trace: serve_steps(trace, law, max_rows),
        "serial": lambda trace: serve_batches(trace, law, usual_key, 1),
        "usual_key": batches(usual_key),
        "usual_key_window": batches(usual_key, WINDOW_SECONDS),
        "strong_key": batches(strong_key),
        "strong_key_window": batches(strong_key, WINDOW_SECONDS),
    }


def compare(law: Law, rate: float) -> dict[str, Any]:
    """All ways on the same traces, one a seed."""
    max_rows = find_knee(measure_ticks(law))
    judged: dict[str, list[dict[str, float]]] = {name: [] for name in ways(law, max_rows)}
    for seed in SEEDS:
        trace = poisson_trace(seed, REQUESTS, rate)
        for name, way in ways(law, max_rows).items():
            judged[name].append(judge(trace, way(trace), law))

    def column(name: str, of: str) -> list[float]:
        return [one[of] for one in judged[name]]

    found: dict[str, Any] = {
        name: {of: round(statistics.median(column(name, of)), 3) for of in judgements[0]}
        for name, judgements in judged.items()
    }
    engine_mean, engine_p99 = column("engine", "mean_s"), column("engine", "p99_s")
    for other in ("strong_key", "usual_key"):
        found[f"mean_of_{other}"] = ratios(engine_mean, column(other, "mean_s"))
        found[f"p99_of_{other}"] = ratios(engine_p99, column(other, "p99_s"))
    found["throughput_of_simulation"] = ratios(
        column("engine", "per_second"), column("simulation", "per_second")
    )
    return found


def in_real_time(law: Law) -> dict[str, float]:
    """An overrun engine's throughput in real time, of its simulation's: what its overhead costs."""
    max_rows = find_knee(measure_ticks(law))
    shares = []
    for seed in SEEDS:
        trace = poisson_trace(seed, REAL_REQUESTS, REAL_OVERLOAD * saturated_rate(law))
        simulated = max(serve_steps(trace, law, max_rows))
        shares.append(simulated / max(serve_really(trace, law, max_rows)))
    return summary(shares)


def run() -> dict[str, Any]:
    """Both laws at all loads; SD 1.5's in real time too, since its ticks are the shortest."""
    found: dict[str, Any] = {}
    for name, law in LAWS.items():
        rates = {f"serial_{load}": load / 100 * serial_rate(law) for load in SERIAL_LOADS}
        rates |= {f"saturated_{load}": load / 100 * saturated_rate(law) for load in SATURATED_LOADS}
        found[name] = {load: compare(law, rate) for load, rate in rates.items()}
    found["sd15"]["real_time_throughput_of_simulation"] = in_real_time(LAWS["sd15"])
    return found


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
