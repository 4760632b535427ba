"""The models of one worker: loaded and warmed, within a memory budget, and taken down again."""

import gc
import logging
import time
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from shared.catalog import ModelEntry
from shared.errors import ConfigurationError, JobFailure
from shared.store.workers import HeldModel
from worker.attempts import Attempts
from worker.claimable import ClaimableModels
from worker.engine.engine import Engine
from worker.engine.sample import EngineStopped
from worker.engine.stepper import Stepper
from worker.form_thread import FormThread
from worker.metrics import WorkerMetrics
from worker.models.building import FormPlan
from worker.models.device import (
    DeviceSettings,
    own_stream,
    resolve_device,
    translated_device_errors,
)
from worker.models.load import check_defaults, estimate_bytes, load_model
from worker.models.resident import ResidentModel
from worker.models.warm_up import WarmUp, find_knee
from worker.pace import Pacer

log = logging.getLogger(__name__)

# How often a model that shall leave looks whether the worker is ending meanwhile.
WAIT_SECONDS = 1.0

NO_FORMS = FormPlan()


@dataclass(frozen=True)
class Place:
    """A model that is warm."""

    held: HeldModel
    since: float


class Shelf:
    """`models` are those in memory; `claimable` those that are warm and stay for now.

    One thread at a time loads and evicts; any thread may read.
    """

    def __init__(
        self,
        entries: Sequence[ModelEntry],
        device: DeviceSettings,
        budget_bytes: float,
        steppers: MutableMapping[str, Stepper],
        record_ticks: Callable[[Stepper], Stepper],
        metrics: WorkerMetrics,
        pacer: Pacer,
        plan: FormPlan = NO_FORMS,
        other_threads: Sequence[Callable[[], AbstractContextManager[None]]] = (),
    ) -> None:
        """`entries`: the models that this worker may hold, the most wanted first.

        `plan`: what is built of each model once it is warm; `other_threads` hold further device
        threads while a graph is captured.

        Raises ConfigurationError where one of them cannot be loaded or does not fit alone.
        """
        self.entries = {entry.id: entry for entry in entries}
        self.budget_bytes = budget_bytes
        self.models: dict[str, ResidentModel] = {}
        self.places: dict[str, Place] = {}
        self.claimable = ClaimableModels()
        self.loading: tuple[str, ...] = ()
        self._device = device
        self._resolved = resolve_device(device)
        self._steppers = steppers
        self._record_ticks = record_ticks
        self._metrics = metrics
        self._pacer = pacer
        self._plan = plan
        self._other_threads = other_threads
        self._builds: dict[str, FormThread] = {}
        self._load_seconds: dict[str, float] = {}
        self._bytes: dict[str, int] = {}
        for model_id in self.entries:
            self.examine(model_id)

    def bytes_of(self, model_id: str) -> int:
        """What the model's weights take, estimated until it has been loaded once."""
        return self._bytes[model_id]

    def examine(self, model_id: str) -> None:
        """Look at the model's files from outside.

        Raises ConfigurationError where they cannot be loaded or would not fit alone.
        """
        entry = self.entries[model_id]
        check_defaults(entry)
        self._bytes[model_id] = estimate_bytes(entry, self._device)
        if self._bytes[model_id] > self.budget_bytes:
            gib = self._bytes[model_id] / 2**30
            raise ConfigurationError(
                f"model {model_id} takes {gib:.2f} GiB, more than TESSERA_MODEL_MEMORY_GIB"
            )

    def fill(self) -> None:
        """Load as many models as fit, in their order; they are not warm yet."""
        for model_id in self.entries:
            held = sum(self._bytes[other] for other in self.models)
            if held + self._bytes[model_id] <= self.budget_bytes:
                self.loading = (*self.loading, model_id)
                self._load(model_id)

    def warm_up(self, engine: Engine) -> None:
        """Warm all models that were loaded at the start; each can be claimed for as it is warm."""
        for model_id in tuple(self.models):
            self._warm_up(model_id, engine)

    def load(self, model_id: str, engine: Engine) -> None:
        """Bring one more model, beside the work that goes on."""
        self._load(model_id)
        self._warm_up(model_id, engine)

    def evict(
        self, model_id: str, engine: Engine, attempts: Attempts, stopping: Callable[[], bool]
    ) -> None:
        """Take a model down once its jobs in flight are done.

        Raises EngineStopped where the worker ends first.
        """
        self.claimable.withdraw(model_id)
        while not attempts.wait_until_without(model_id, WAIT_SECONDS):
            if stopping():
                raise EngineStopped
        if model_id in self._builds:
            self._builds.pop(model_id).stop()
        # Samples that were cancelled may still be with the engine until its next round.
        engine.call(lambda: self._steppers.pop(model_id))
        del self.places[model_id]
        self._drop(model_id)
        self._metrics.model_evictions.labels(model_id).inc()
        log.info("model has left", extra={"model": model_id})

    def close(self) -> None:
        """End the models' threads; what is being built is not waited for."""
        for build in self._builds.values():
            build.request_stop()
        for model in self.models.values():
            model.close()

    def _load(self, model_id: str) -> None:
        began = time.monotonic()
        with own_stream(self._resolved), translated_device_errors():
            model = load_model(self.entries[model_id], self._device)
        model.text.observe = self._metrics.observe_prompt
        self.models[model_id] = model
        self._bytes[model_id] = model.weight_bytes
        self._steppers[model_id] = self._record_ticks(model.stepper)
        self._load_seconds[model_id] = time.monotonic() - began
        self._metrics.model_load_seconds.labels(model_id).set(self._load_seconds[model_id])

    def _warm_up(self, model_id: str, engine: Engine) -> None:
        began = time.monotonic()
        model = self.models[model_id]
        try:
            with own_stream(self._resolved):
                found = model.warm_up(engine)
        except JobFailure:
            engine.call(lambda: self._steppers.pop(model_id))
            self._drop(model_id)
            raise
        seconds = time.monotonic() - began
        self._metrics.model_load_seconds.labels(model_id).inc(seconds)
        self._load_seconds[model_id] += seconds
        self._metrics.model_loaded.labels(model_id).set(1)
        self._metrics.model_bytes.labels(model_id).set(model.weight_bytes)
        self._metrics.model_float8.labels(model_id).set(found.float8)
        for kernel, shapes in found.attention.shapes_of.items():
            self._metrics.attention_shapes.labels(model_id, kernel).set(shapes)
        self.places[model_id] = Place(_describe(model, found), time.monotonic())
        self._tell_pace(model_id)
        self.loading = tuple(other for other in self.loading if other != model_id)
        self.claimable.add(model_id)
        held = self.places[model_id].held
        log.info("model is warm", extra={"model": model_id, **held.model_dump(mode="json")})
        if not self._plan.empty:
            self._builds[model_id] = FormThread(partial(self._build_forms, model_id, engine))

    def _tell_pace(self, model_id: str) -> None:
        model, held = self.models[model_id], self.places[model_id].held
        self._pacer.loaded(
            model_id,
            max_rows=held.max_rows,
            cell_pixels=model.cell_pixels,
            pixels=model.entry.defaults.width * model.entry.defaults.height,
            tick_seconds=held.tick_seconds,
            load_seconds=self._load_seconds[model_id],
        )
        self._metrics.batch_rows_limit.labels(model_id).set(held.max_rows)

    def _build_forms(self, model_id: str, engine: Engine, stopping: Callable[[], bool]) -> None:
        """On a thread of its own, while the model serves."""
        model = self.models[model_id]
        told = partial(self._tell_form, model_id)
        seconds = model.readiness.build_forms(
            engine, self._plan, self._held_threads, told, stopping
        )
        if not seconds or stopping():
            return
        held = self.places[model_id].held
        tick_seconds = {**held.tick_seconds, **seconds}
        model.stepper.max_rows = find_knee(tick_seconds)
        self._redescribe(model_id, tick_seconds=tick_seconds, max_rows=model.stepper.max_rows)
        self._tell_pace(model_id)
        log.info("forms are built", extra={"model": model_id, "forms": held.forms})

    def _tell_form(self, model_id: str, form: str, state: str) -> None:
        forms = {**self.places[model_id].held.forms, form: state}
        self._redescribe(model_id, forms=forms)
        self._metrics.tell_forms(model_id, forms.values())
        log.info("form", extra={"model": model_id, "form": form, "state": state})

    def _redescribe(self, model_id: str, **changes: Any) -> None:
        place = self.places[model_id]
        self.places[model_id] = replace(place, held=place.held.model_copy(update=changes))

    @contextmanager
    def _held_threads(self) -> Iterator[None]:
        with ExitStack() as stack:
            for hold in self._other_threads:
                stack.enter_context(hold())
            for model in tuple(self.models.values()):
                stack.enter_context(model.held())
            yield

    def _drop(self, model_id: str) -> None:
        if self._resolved.is_cuda:
            torch.cuda.synchronize()  # a tick that nobody waits for may still read the weights
        self.models.pop(model_id).close()
        gc.collect()
        if self._resolved.is_cuda:
            torch.cuda.empty_cache()
        self._metrics.model_loaded.labels(model_id).set(0)
        self._metrics.model_bytes.labels(model_id).set(0)
        self._metrics.model_float8.labels(model_id).set(0)
        self._metrics.tell_forms(model_id, ())


def _describe(model: ResidentModel, found: WarmUp) -> HeldModel:
    return HeldModel(
        bytes=model.weight_bytes,
        max_rows=found.max_rows,
        attention=found.attention.name,
        attention_shapes={str(shape): name for shape, name in found.attention.shapes.items()},
        float8=found.float8,
        float8_decibels=found.float8_decibels,
        tick_seconds=dict(found.tick_seconds),
        image_seconds=found.image_seconds,
    )
