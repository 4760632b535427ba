"""G4, G5 and G6: mixed requests under load, the host's share of a tick, and work beside ticks."""

import random
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.profiler

from bench.gpu.pictures import FORM_ROWS, build_forms
from bench.gpu.subjects import Subject
from bench.gpu.timing import serving, spread
from shared.request import GenerationRequest
from worker.compressors import Compressors
from worker.engine.engine import Engine, TickReport
from worker.engine.sample import Kind, Sample
from worker.models.building import FormPlan
from worker.models.resident import ResidentModel

REQUESTS = 100
MOST_IN_BATCH = 8
LOAD = 1.2  # of what one after the other could serve
SLOWEST_SOLO = 3.0  # a request is in time within so many times what it takes alone
STEADY_TICKS = 60
OVERLAPPED_PICTURES = 24


@dataclass
class Asked:
    """One request of a trace, in seconds from its beginning."""

    at: float
    request: GenerationRequest
    sample: Sample | None = None
    done: float = 0.0

    @property
    def key(self) -> tuple[Any, ...]:
        """What must be equal to share a batch of requests."""
        one = self.request
        return one.steps, one.sampler, one.guidance_scale


def under_load(subject: Subject) -> dict[str, Any]:
    """One trace through the engine, one after the other, and by batches of like requests."""
    model = subject.load()
    found: dict[str, Any] = {}
    with serving(model) as engine:
        found["forms"] = build_forms(model, engine, FormPlan(graphs=True, rows=FORM_ROWS))
        solo = {steps: _solo(model, engine, subject, steps) for steps in _steps(subject)}
        rate = LOAD / statistics.mean(solo.values())
        for name, serve in (
            ("engine", _serve_together),
            ("usual_key", _serve_batches(MOST_IN_BATCH)),
            ("serial", _serve_batches(1)),
        ):
            trace = _trace(model, subject, rate, 8 if subject.tiny else REQUESTS)
            serve(trace, engine)
            waits = sorted(asked.done - asked.at for asked in trace)
            in_time = sum(
                asked.done - asked.at <= SLOWEST_SOLO * solo[asked.request.steps] for asked in trace
            )
            found[name] = {
                "mean_s": round(statistics.mean(waits), 4),
                "p99_s": round(waits[int(0.99 * (len(waits) - 1))], 4),
                "in_time_per_second": round(in_time / max(one.done for one in trace), 3),
            }
    return found


def _steps(subject: Subject) -> Sequence[int]:
    return (2, 3, 5) if subject.tiny else (20, 30, 50)


def _solo(model: ResidentModel, engine: Engine, subject: Subject, steps: int) -> float:
    (sample,), _ = model.prepare("solo", subject.request(steps=steps), 0, Kind.ORDINARY)
    began = time.perf_counter()
    engine.submit([sample])
    sample.finished.result()
    return time.perf_counter() - began


def _trace(model: ResidentModel, subject: Subject, rate: float, count: int) -> list[Asked]:
    """Seeded arrivals; what lies outside the engine is done before."""
    chance = random.Random(1)
    now = 0.0
    trace = []
    for number in range(count):
        now += chance.expovariate(rate)
        asked = subject.request(
            steps=chance.choice(_steps(subject)),
            sampler=chance.choice(["euler", "dpmpp_2m", "unipc"]),
            guidance_scale=chance.choice([1.0, 5.0, 7.5]),
            seed=number,
        )
        (sample,), _ = model.prepare(f"job_{number}", asked, number, Kind.ORDINARY)
        trace.append(Asked(now, asked, sample))
    return trace


def _serve_together(trace: list[Asked], engine: Engine) -> None:
    began = time.perf_counter()
    for asked in trace:
        time.sleep(max(began + asked.at - time.perf_counter(), 0))
        _submit(asked, engine, began)
    for asked in trace:
        assert asked.sample is not None
        asked.sample.finished.result()


def _submit(asked: Asked, engine: Engine, began: float) -> None:
    assert asked.sample is not None

    def note(_: object) -> None:
        asked.done = time.perf_counter() - began

    asked.sample.finished.add_done_callback(note)
    engine.submit([asked.sample])


def _serve_batches(most: int) -> Callable[[list[Asked], Engine], None]:
    """What waits with the oldest request's key, up to `most`, together to the end."""

    def serve(trace: list[Asked], engine: Engine) -> None:
        began = time.perf_counter()
        waiting = deque(trace)
        while waiting:
            first = waiting[0]
            time.sleep(max(began + first.at - time.perf_counter(), 0))
            now = time.perf_counter() - began
            batch = [one for one in waiting if one.at <= now and one.key == first.key][:most]
            for asked in batch:
                waiting.remove(asked)
                _submit(asked, engine, began)
            for asked in batch:
                assert asked.sample is not None
                asked.sample.finished.result()

    return serve


def gap(subject: Subject) -> dict[str, Any]:
    """G5: the share of a steady second in which the device had nothing to do, and what waited.

    Any synchronisation but the paced wait for an event ends the run with an error.
    """
    model = subject.load()
    found: dict[str, Any] = {}
    ticks: list[TickReport] = []
    with serving(model, ticks.append) as engine:
        for built in (False, True):
            if built:
                plan = FormPlan(graphs=True, rows=FORM_ROWS)
                found["forms"] = build_forms(model, engine, plan)
            samples = [
                model.prepare(
                    f"job_{seed}",
                    subject.request(steps=STEADY_TICKS, sampler="euler_a", seed=seed),
                    seed,
                    Kind.ORDINARY,
                )[0][0]
                for seed in range(min(model.stepper.max_rows, FORM_ROWS[-1]) // 2)
            ]
            # Admission is over with the first ticks; then nobody may hold the device up.
            engine.submit(samples)
            _until(samples[0], 1 / 4)
            ticks.clear()
            _forbid_waiting(engine, "error")
            _until(samples[0], 1 / 2)
            steady = list(ticks)
            _forbid_waiting(engine, "default")
            with torch.profiler.profile(acc_events=True) as profile:
                began = time.perf_counter()
                _until(samples[0], 3 / 4)
                wall = time.perf_counter() - began
            for sample in samples:
                sample.finished.result()
            kernels: Any = profile.key_averages()
            busy = sum(kernel.self_device_time_total for kernel in kernels) / 1e6
            largest = sorted(kernels, key=lambda one: one.self_device_time_total, reverse=True)
            found["graph" if built else "eager"] = {
                "rows": steady[0].padded_rows,
                "tick_ms": spread([tick.seconds * 1000 for tick in steady]),
                "gap_share": round(1 - busy / wall, 4),
                "largest_ms": {
                    one.key[:60]: round(one.self_device_time_total / 1000, 2) for one in largest[:8]
                },
            }
    return found


def _until(sample: Sample, part: float) -> None:
    while sample.tick < part * STEADY_TICKS:
        time.sleep(0.001)


def _forbid_waiting(engine: Engine, mode: str) -> None:
    if torch.cuda.is_available():
        engine.call(lambda: torch.cuda.set_sync_debug_mode(mode))


def beside(subject: Subject) -> dict[str, Any]:
    """G6: pictures a second with decoding and compressing beside the ticks, of those without."""
    model = subject.load()
    compressors = Compressors(2)
    rates: dict[bool, list[float]] = {False: [], True: []}
    count = 2 if subject.tiny else OVERLAPPED_PICTURES
    with serving(model) as engine:
        build_forms(model, engine, FormPlan(graphs=True, rows=FORM_ROWS))
        for number in range(10):
            finishing = number % 2 == 1
            samples = [
                model.prepare("job", subject.request(seed=seed), seed, Kind.ORDINARY)[0][0]
                for seed in range(count)
            ]
            began = time.perf_counter()
            engine.submit(samples)
            threads = []
            for sample in samples:
                latent = sample.finished.result()
                if finishing:
                    threads.append(
                        threading.Thread(target=_finish, args=(model, compressors, subject, latent))
                    )
                    threads[-1].start()
            # What the ticks were held up by the others is asked, not when the last file is made.
            rates[finishing].append(count / (time.perf_counter() - began))
            for thread in threads:
                thread.join()
    compressors.close()
    shares = [on / off for on, off in zip(rates[True], rates[False], strict=True)]
    return {"share": spread(shares), "without_per_second": spread(rates[False])}


def _finish(
    model: ResidentModel, compressors: Compressors, subject: Subject, latent: torch.Tensor
) -> None:
    compressors.encode(model.decode(latent), subject.request(), 0)
