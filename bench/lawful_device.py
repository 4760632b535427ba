"""The real engine and batcher on a device whose ticks take what a law says.

In virtual time nothing sleeps: the clock goes from tick's end to tick's end, and requests that
come meanwhile are submitted at their moments. In real time the ticks are slept through.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from typing import Protocol

from bench.policies import Asked, Law
from worker.engine.batcher import Batcher
from worker.engine.engine import Engine
from worker.engine.rows import padded_rows
from worker.engine.sample import BatchKey, Kind, Sample
from worker.engine.stepper import Outcome, Snapshot

KEY = BatchKey("lawful", (4, 64, 64), Kind.ORDINARY)


class _Clock(Protocol):
    def now(self) -> float: ...

    def sleep_until(self, moment: float) -> None: ...


class _RealClock:
    def __init__(self) -> None:
        self._began = time.perf_counter()

    def now(self) -> float:
        return time.perf_counter() - self._began

    def sleep_until(self, moment: float) -> None:
        time.sleep(max(moment - self.now(), 0.0))


class _VirtualClock:
    """Goes on when it is slept on, and calls `pass_by` with each moment before it gets there."""

    def __init__(self, pass_by: Callable[[float], None]) -> None:
        self.moment = 0.0
        self._pass_by = pass_by

    def now(self) -> float:
        return self.moment

    def sleep_until(self, moment: float) -> None:
        self._pass_by(moment)
        self.moment = max(self.moment, moment)


class _Tick:
    def __init__(self, clock: _Clock, end: float, outcome: Outcome) -> None:
        self._clock = clock
        self._end = end
        self._outcome = outcome

    def done(self) -> bool:
        return self._clock.now() >= self._end

    def wait(self) -> Outcome:
        self._clock.sleep_until(self._end)
        return self._outcome


class _Stepper:
    """Ticks run one after the other from their launch on, as on a device with one queue."""

    def __init__(self, law: Law, max_rows: int, clock: _Clock) -> None:
        self.max_rows = max_rows
        self._law = law
        self._clock = clock
        self._free_at = 0.0

    def admit(self, sample: Sample) -> None:
        """There is nothing to bring."""

    def launch(self, samples: Sequence[Sample]) -> _Tick:
        padded = padded_rows(sum(sample.rows for sample in samples), KEY.kind)
        seconds = self._law(padded)
        self._free_at = max(self._free_at, self._clock.now()) + seconds
        return _Tick(self._clock, self._free_at, Outcome(seconds, padded))

    def snapshot(self, sample: Sample) -> Snapshot:
        raise NotImplementedError

    def result(self, sample: Sample) -> float:
        """The moment of its end."""
        return self._clock.now()


def serve_virtually(trace: Sequence[Asked], law: Law, max_rows: int) -> list[float]:
    """The moments at which the engine has finished the trace's requests, in virtual time."""
    samples = _samples(trace)
    submitted = 0
    unfinished = 0

    def submit_until(moment: float) -> None:
        nonlocal submitted, unfinished
        while submitted < len(trace) and trace[submitted].at <= moment:
            clock.moment = max(clock.moment, trace[submitted].at)
            engine.submit([samples[submitted]])
            submitted += 1
            unfinished += 1

    def finished(_: object) -> None:
        nonlocal unfinished
        unfinished -= 1
        if unfinished == 0 and submitted < len(trace):  # idle until the next one comes
            submit_until(trace[submitted].at)

    clock = _VirtualClock(submit_until)
    engine = _engine(law, max_rows, clock)
    for sample in samples:
        sample.finished.add_done_callback(finished)
    submit_until(trace[0].at)
    engine.start()
    return _ends(engine, samples)


def serve_really(trace: Sequence[Asked], law: Law, max_rows: int) -> list[float]:
    """The same in real time."""
    samples = _samples(trace)
    clock = _RealClock()
    engine = _engine(law, max_rows, clock)
    engine.start()
    for asked, sample in zip(trace, samples, strict=True):
        clock.sleep_until(asked.at)
        engine.submit([sample])
    return _ends(engine, samples)


def _engine(law: Law, max_rows: int, clock: _Clock) -> Engine:
    stepper = _Stepper(law, max_rows, clock)
    return Engine(Batcher(lambda _: max_rows), {KEY.model: stepper}, lambda report: None)


def _ends(engine: Engine, samples: Sequence[Sample]) -> list[float]:
    wait([sample.finished for sample in samples])
    engine.stop()
    return [sample.finished.result() for sample in samples]


def _samples(trace: Sequence[Asked]) -> list[Sample]:
    return [
        Sample(
            job_id=f"job_{number}",
            index=0,
            key=KEY,
            rows=asked.rows,
            ticks=asked.steps,
            priority=1,
            sequence=number,
            state=None,
        )
        for number, asked in enumerate(trace)
    ]
