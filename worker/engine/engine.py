"""The engine: the thread that steps. It admits what arrived, asks the batcher, ticks, retires."""

import logging
import math
import threading
from collections import deque
from collections.abc import Callable, MutableMapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from shared.errors import GenerationInvalid, InternalError, JobFailure, ResourceExhausted
from worker.engine.batcher import Batcher
from worker.engine.sample import EngineStopped, Sample, SampleCanceled
from worker.engine.stepper import DeviceLost, Snapshot, Stepper, Tick

log = logging.getLogger(__name__)

# Ticks launched beyond the one waited for. One keeps the device fed; with more, cancellation
# and priority would take effect later.
RUN_AHEAD = 1


@dataclass(frozen=True, slots=True)
class TickReport:
    """One tick, for metrics and the cost model.

    Attributes:
        seconds: device time.
        groups: how many take turns after this tick.
        latent_area: height times width of a latent.
        crowded: whether there were more samples than the tick could take.
    """

    model: str
    rows: int
    padded_rows: int
    samples: int
    seconds: float
    groups: int
    latent_area: int
    crowded: bool


@dataclass(frozen=True, slots=True)
class _Launched:
    tick: Tick
    samples: tuple[Sample, ...]
    last_tick_of: tuple[Sample, ...]
    crowded: bool


class Engine:
    """Steps the samples of all resident models, one batch a tick.

    `steppers` maps model ids to steppers; it may grow while the engine runs, before the first
    sample of that model is submitted. `observe` is called on the engine's thread after each
    tick and must be cheap. The thread is `within` such a context from its start to its end.
    """

    def __init__(
        self,
        batcher: Batcher,
        steppers: MutableMapping[str, Stepper],
        observe: Callable[[TickReport], None],
        within: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._batcher = batcher
        self._steppers = steppers
        self._observe = observe
        self._within = within
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._in_flight: deque[_Launched] = deque()
        # What other threads ask for, taken over between two ticks.
        self._changed = threading.Condition()
        self._arrivals: list[Sample] = []
        self._cancellations: set[str] = set()
        self._calls: list[tuple[Callable[[], object], Future[None]]] = []
        self._stopping = False

    @property
    def alive(self) -> bool:
        """Whether the thread runs; it ends by `stop`, or by itself when the device is lost."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start stepping."""
        self._thread.start()

    def stop(self) -> None:
        """Stop before the next tick; unfinished samples raise EngineStopped."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def submit(self, samples: Sequence[Sample]) -> None:
        """Let the samples join from the next tick on. From any thread."""
        with self._changed:
            if not self._stopping:
                self._arrivals.extend(samples)
                self._changed.notify()
                return
        for sample in samples:
            sample.fail(EngineStopped())

    def cancel(self, job_id: str) -> None:
        """End the job's samples before the next tick but one. From any thread.

        Those that are submitted later are not ended.
        """
        with self._changed:
            self._cancellations.add(job_id)
            self._changed.notify()

    def call(self, action: Callable[[], object]) -> None:
        """Do this on the engine's thread, after what was asked for before; wait for it.

        From any other thread. Raises EngineStopped, and what `action` raises.
        """
        done: Future[None] = Future()
        with self._changed:
            if self._stopping:
                raise EngineStopped
            self._calls.append((action, done))
            self._changed.notify()
        done.result()

    def snapshot(self, samples: Sequence[Sample]) -> dict[Sample, Snapshot]:
        """The states of those that have begun and not failed, all between the same two ticks.

        From any other thread. Raises EngineStopped.
        """
        taken: dict[Sample, Snapshot] = {}

        def take() -> None:
            for sample in samples:
                failed = sample.finished.done() and sample.finished.exception() is not None
                stepper = self._steppers.get(sample.key.model)
                if sample.tick and stepper is not None and not failed:
                    taken[sample] = stepper.snapshot(sample)

        self.call(take)
        return taken

    def _run(self) -> None:
        try:
            with self._within():
                while self._admit():
                    self._step()
                while self._in_flight:
                    self._complete()
        except DeviceLost:
            log.exception("the device is lost; the engine stops")
        finally:
            self._end()

    def _admit(self) -> bool:
        """Take over what other threads asked for; wait when idle. False when it is time to stop."""
        with self._changed:
            while not self._has_work():
                self._changed.wait()
            if self._stopping:
                return False
            arrivals, self._arrivals = self._arrivals, []
            cancellations, self._cancellations = self._cancellations, set()
            calls, self._calls = self._calls, []
        for sample in arrivals:
            try:
                self._steppers[sample.key.model].admit(sample)
            except DeviceLost:
                raise
            except Exception as error:  # noqa: BLE001 one sample's defect is not the engine's
                sample.fail(_as_job_failure(error))
            else:
                self._welcome(sample)
        if cancellations:
            for sample in self._unfinished():
                if sample.job_id in cancellations:
                    self._retire(sample, SampleCanceled())
        for action, done in calls:
            try:
                action()
            except DeviceLost:
                raise
            except Exception as error:  # noqa: BLE001 the caller's, not the engine's
                done.set_exception(error)
            else:
                done.set_result(None)
        return True

    def _welcome(self, sample: Sample) -> None:
        if sample.tick < sample.ticks:
            self._batcher.add(sample)
        else:  # resumed after its last tick
            sample.deliver(self._steppers[sample.key.model].result(sample))

    def _has_work(self) -> bool:
        return bool(
            self._stopping
            or self._arrivals
            or self._cancellations
            or self._calls
            or self._in_flight
            or len(self._batcher)
        )

    def _step(self) -> None:
        batch = self._batcher.next()
        if batch:
            self._launch(batch)
        while self._in_flight and (
            not batch or len(self._in_flight) > RUN_AHEAD or self._in_flight[0].tick.done()
        ):
            self._complete()

    def _launch(self, samples: Sequence[Sample]) -> None:
        """Begin a tick; where the batch fails, halve it until the one at fault is alone."""
        key = samples[0].key
        try:
            tick = self._steppers[key.model].launch(samples)
        except DeviceLost:
            raise
        except Exception as error:  # noqa: BLE001 one sample's defect is not the engine's
            if len(samples) == 1:
                self._retire(samples[0], _as_job_failure(error))
                return
            if isinstance(error, ResourceExhausted):
                self._batcher.narrow(key, sum(sample.rows for sample in samples) // 2)
                for sample in samples:
                    sample.narrowed = True
            middle = len(samples) // 2
            self._launch(samples[:middle])
            self._launch(samples[middle:])
            return
        crowded = len(self._batcher) > len(samples)
        for sample in samples:
            sample.tick += 1
        last_tick_of = tuple(sample for sample in samples if sample.tick == sample.ticks)
        for sample in last_tick_of:
            self._batcher.discard(sample)
        self._in_flight.append(_Launched(tick, tuple(samples), last_tick_of, crowded))

    def _complete(self) -> None:
        """Wait for the oldest tick in flight and hand out what it finished."""
        launched = self._in_flight.popleft()
        outcome = launched.tick.wait()
        key = launched.samples[0].key
        self._batcher.charge(key, outcome.seconds)
        for sample in outcome.invalid:
            self._retire(sample, GenerationInvalid("the model's output is not finite"))
        for sample in launched.last_tick_of:
            if not sample.finished.done():
                sample.deliver(self._steppers[key.model].result(sample))
        self._observe(
            TickReport(
                model=key.model,
                rows=sum(sample.rows for sample in launched.samples),
                padded_rows=outcome.padded_rows,
                samples=len(launched.samples),
                seconds=outcome.seconds,
                groups=self._batcher.groups,
                latent_area=math.prod(key.latent_shape[1:]),
                crowded=launched.crowded,
            )
        )

    def _retire(self, sample: Sample, error: Exception) -> None:
        self._batcher.discard(sample)
        sample.fail(error)

    def _unfinished(self) -> list[Sample]:
        in_flight = [sample for launched in self._in_flight for sample in launched.samples]
        return [*self._batcher.samples(), *in_flight]

    def _end(self) -> None:
        with self._changed:
            self._stopping = True
            arrivals, self._arrivals = self._arrivals, []
            calls, self._calls = self._calls, []
        for sample in [*arrivals, *self._unfinished()]:
            self._retire(sample, EngineStopped())
        for _, done in calls:
            done.set_exception(EngineStopped())


def _as_job_failure(error: Exception) -> JobFailure:
    if isinstance(error, JobFailure):
        return error
    log.error("a tick failed", exc_info=error)
    failure = InternalError("the model could not make this step")
    failure.__cause__ = error
    return failure
