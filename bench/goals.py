"""What the benchmarks should reach, and the table that puts each goal beside its figure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Goal:
    """A bound on the figure at `path` in the results: at most, or at least, so much."""

    what: str
    path: str
    bound: float
    at_least: bool = False

    def reached_by(self, figure: float) -> bool:
        """Whether the figure is on the right side of the bound."""
        return figure >= self.bound if self.at_least else figure <= self.bound

    @property
    def told(self) -> str:
        """The bound, for readers."""
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"


def _serving() -> Iterator[Goal]:
    """The loads that count are those at 1.2 times what one request after the other allows."""
    bounds = {
        "sd15": {"mean_of_strong_key": 0.65, "p99_of_strong_key": 0.75, "mean_of_usual_key": 0.25},
        "sdxl": {"mean_of_strong_key": 0.80, "mean_of_usual_key": 0.30},
    }
    for law, of in bounds.items():
        for name, bound in of.items():
            share, _, key = name.partition("_of_")
            what = f"{law}'s law at 1.2: {share} wait, of batches by the {key.replace('_', ' ')}"
            yield Goal(what, f"serving.{law}.serial_120.{name}", bound)
    what = "an overrun engine's throughput in real time, of its simulation's"
    yield Goal(what, "serving.sd15.real_time_throughput_of_simulation", 0.95, at_least=True)


GOALS = (
    Goal("accepted POSTs at 16 clients, of a bare FastAPI's", "gateway.disk.ratio", 0.5, True),
    Goal("whole line without load, minus its stages, p50 ms", "line.overhead_ms_p50", 20),
    Goal("the same, p99 of all jobs, ms; spread of rounds' slowest", "line.overhead_ms_p99", 50),
    Goal("ticket to job's beginning, of RQ's SimpleWorker's", "dispatch.latency_ratio_p50", 1),
    Goal("jobs a second in bursts of 16, of its", "dispatch.burst_times_faster", 5, True),
    Goal(
        "a worker hears of a cancellation, p99 of all, ms; spread of rounds' slowest",
        "cancel.heard_ms_p99",
        100,
    ),
    Goal("ticks begun after that, the most of all", "cancel.ticks_begun_after_most", 2),
    Goal("engine's overhead a tick, one sample, idle, µs", "engine.idle_1.overhead_us", 500),
    Goal("the same with eight samples", "engine.idle_8.overhead_us", 500),
    Goal("one sample, beside eight busy threads", "engine.busy_1.overhead_us", 1500),
    Goal("eight samples, beside eight busy threads", "engine.busy_8.overhead_us", 1500),
    Goal("one sample's overhead, of the UNet's time", "engine.idle_1.overhead_share", 0.05),
    Goal("eight samples', of the UNet's time", "engine.idle_8.overhead_share", 0.02),
    Goal("time that checkpoints take, share of all", "checkpoints.busy_share", 0.01),
    *_serving(),
    Goal("events to 1,000 clients, p99 ms", "events.hub.latency_ms_p99", 150),
    Goal("Redis connections that 1,000 clients add", "events.hub.connections_gained", 0),
    Goal("a tick of eight unlike requests, of the UNet of like ones", "unlike.ratio", 1.25),
    Goal("update of 16 samples, faster than 16 schedulers by", "update.times_faster", 3, True),
    Goal(
        "1024² picture to PNG, faster than diffusers and Pillow by",
        "image_out.photograph_1024.times_faster",
        20,
        True,
    ),
    Goal("its file's size, of Pillow's", "image_out.photograph_1024.size", 1.15),
    Goal("a flood's jobs before a late tenant's are done", "fairness.flood_jobs_meanwhile", 12),
)


def table(results: dict[str, Any]) -> str:
    """A Markdown table of the goals, each with its figure, its spread and how it ended.

    A figure is the median of its rounds, unless the goal says that it is one of all of them.
    """
    lines = ["| what | measured | spread (rounds) | goal | |", "|---|---|---|---|---|"]
    for goal in GOALS:
        figure, spread = _figure(results, goal.path)
        if figure is None:
            measured, ending = "", "not measured"
        else:
            measured = f"{figure:g}"
            ending = "reached" if goal.reached_by(figure) else "missed"
        lines.append(f"| {goal.what} | {measured} | {spread} | {goal.told} | {ending} |")
    return "\n".join(lines)


def _figure(results: dict[str, Any], path: str) -> tuple[float | None, str]:
    """The figure at a dotted path, None where there is none, and its spread if it has one."""
    found: Any = results
    for name in path.split("."):
        if name not in found:
            return None, ""
        found = found[name]
    if isinstance(found, dict):
        spread = f"{found['least']:g} to {found['most']:g} ({found['rounds']})"
        return found.get("of_all", found["median"]), spread
    return found, ""
