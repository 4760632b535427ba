"""The composition root of a GPU process: makes every object, runs them, and drains them."""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import torch

from shared.catalog import load_catalog
from shared.connections import connect
from shared.errors import StoreUnavailable
from shared.metrics import MetricsServer, new_registry, serve_metrics
from shared.objects import ObjectStore
from shared.queue import TicketQueue, connect_rq
from shared.storage_metrics import StorageMetrics
from shared.store.job_store import JobStore
from shared.store.server import check_servers
from shared.store.workers import WorkerState
from shared.tracing import Tracing, open_tracing
from worker.attempts import Attempts
from worker.checkpoint import Checkpointer
from worker.compressors import Compressors
from worker.control import Control
from worker.drain import Drain
from worker.engine.batcher import Batcher
from worker.engine.engine import Engine, TickReport
from worker.engine.stepper import Stepper
from worker.flight_record import FlightRecord
from worker.gpu_metrics import watch_gpu
from worker.identity import WorkerIdentity
from worker.metrics import Inheritance, WorkerMetrics
from worker.models.building import FormPlan
from worker.models.compiling import keep_compiled
from worker.models.device import Attention, DeviceSettings, Precision, resolve_device
from worker.models.safety import SafetyChecker, load_safety_checker
from worker.pace import Pacer
from worker.previews import Previews
from worker.pulse import Pulse
from worker.queue_worker import QueueWorker
from worker.recorded_stepper import RecordedStepper
from worker.residency import Residency
from worker.settings import Settings
from worker.shelf import Shelf
from worker.spool import Spool
from worker.spot_notice import SpotNotice
from worker.tasks import work
from worker.tick_times import TickTimes
from worker.watchdog import Watchdog, end_at_once
from worker.workshop import Workshop

log = logging.getLogger(__name__)

DRAINED = 0
DEVICE_LOST = 71

# A busy job thread keeps the engine waiting this long; the interpreter's default is 5 ms.
SWITCH_SECONDS = 0.0005
LEDGER_SECONDS = 2.0
ORPHAN_SECONDS = 3.0


@dataclass(frozen=True)
class Runtime:
    """A GPU process' parts."""

    identity: WorkerIdentity
    metrics: WorkerMetrics
    metrics_server: MetricsServer
    store: JobStore
    engine: Engine
    compressors: Compressors
    previews: Previews
    shelf: Shelf
    residency: Residency
    safety: SafetyChecker | None
    attempts: Attempts
    pulse: Pulse
    checkpointer: Checkpointer
    control: Control
    queue_worker: QueueWorker
    tracing: Tracing
    healthy: Callable[[], bool]
    drain: Drain
    watchdog: Watchdog
    notice: SpotNotice

    def run(self) -> int:
        """Work until SIGTERM or until the device is lost; the process' exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.queue_worker.request_stop())
        sys.setswitchinterval(SWITCH_SECONDS)
        self.pulse.start()
        self.engine.start()
        self.shelf.warm_up(self.engine)
        self.checkpointer.start()
        self.control.start()
        self.previews.start()
        self.queue_worker.ledger.start()
        self._enter(WorkerState.READY)
        self.watchdog.start()
        self.notice.start()
        self.residency.start()
        self.queue_worker.run()
        self.residency.request_stop()
        if not self.healthy():
            return DEVICE_LOST
        self._drain()
        return DRAINED

    def abandon(self) -> None:
        """End soon, because nobody watches over this process any more: release every job."""
        self.queue_worker.request_stop()
        self.drain.hand_over(self.attempts.all())
        time.sleep(ORPHAN_SECONDS)
        os._exit(1)

    def _enter(self, state: WorkerState) -> None:
        self.identity.state = state
        try:
            self.store.announce_worker(self.identity.record())
        except StoreUnavailable:
            log.warning("the worker could not announce itself; the pulse will")
        log.info("worker is %s", state)

    def _drain(self) -> None:
        self._enter(WorkerState.DRAINING)
        self.drain.run()
        self.tracing.close()
        self.notice.stop()
        self.watchdog.stop()
        self.control.stop()
        self.checkpointer.stop()
        self.pulse.stop()
        with suppress(StoreUnavailable):
            self.store.forget_worker(self.identity.worker_id)
        if self.attempts.all():
            log.warning("worker has drained, but for threads that are not worth waiting for")
            return
        self.queue_worker.ledger.close(LEDGER_SECONDS)
        self.engine.stop()
        self.previews.stop()
        self.compressors.close()
        self.shelf.close()
        if self.safety is not None:
            self.safety.close()
        self.metrics_server.close()
        log.info("worker has drained")


def build(settings: Settings, worker_id: str, record: FlightRecord, past: Inheritance) -> Runtime:
    """Make a GPU process' parts; the models are loaded, nothing runs yet.

    Raises:
        ConfigurationError: a model, the device, a server or a port is not what it should be.
        StoreUnavailable: Redis does not answer.
    """
    registry = new_registry("worker")
    catalog = load_catalog(settings.models.models_file)
    metrics = WorkerMetrics(registry, catalog.ids)
    metrics.inherit(past)
    metrics.slots.set(settings.worker.slots)
    redis_pair = connect(settings.redis, name=worker_id)
    check_servers(redis_pair)
    objects = ObjectStore(settings.storage, StorageMetrics(registry).observe)
    objects.check_settings()
    metrics_server = serve_metrics(settings.metrics, registry)
    tracing = open_tracing(settings.tracing, "worker")
    store = JobStore(redis_pair, settings.jobs)
    compressors = Compressors(settings.worker.compressors, marked=settings.worker.mark_generated)

    device = DeviceSettings(
        device=settings.worker.device,
        precision=Precision(settings.worker.precision),
        attention=Attention(settings.worker.attention),
        float8=settings.worker.float8 == "on",
        float8_decibels=settings.worker.float8_decibels,
    )
    if settings.worker.compile_cache is not None:
        keep_compiled(settings.worker.compile_cache)
    checker_path = settings.worker.safety_checker
    safety = load_safety_checker(checker_path, resolve_device(device)) if checker_path else None
    steppers: dict[str, Stepper] = {}
    pacer = Pacer()
    shelf = Shelf(
        catalog.preferred(settings.worker.worker_models),
        device,
        settings.worker.model_memory_gib * 2**30,
        steppers,
        lambda stepper: RecordedStepper(stepper, record),
        metrics,
        pacer,
        FormPlan(
            compiled=settings.worker.compile == "on",
            graphs=settings.worker.cuda_graphs == "on",
            rows=settings.worker.fixed_rows,
        ),
        [safety.held] if safety else [],
    )
    shelf.fill()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        watch_gpu(registry)
    previews = Previews(store, compressors)
    batcher = Batcher(lambda model: steppers[model].max_rows)

    ticks = TickTimes()

    def observe(report: TickReport) -> None:
        metrics.observe_tick(report)
        pacer.tick(report)
        ticks.add(report)

    engine = Engine(batcher, steppers, observe, torch.inference_mode)

    def healthy() -> bool:
        return engine.alive and not record.frozen

    attempts = Attempts(settings.worker.slots, engine.cancel)
    identity = WorkerIdentity(
        worker_id,
        shelf,
        lambda: pacer.pace(
            settings.worker.slots,
            settings.worker.high_slots,
            [attempt.held() for attempt in attempts.all()],
        ),
    )
    checkpointer = Checkpointer(store, engine, attempts, settings.worker.checkpoint_seconds)
    spool = Spool(settings.worker.spool_folder, settings.worker.spool_gib * 2**30)
    metrics.spool_bytes.set_function(lambda: spool.used_bytes)
    shop = Workshop(
        store=store,
        objects=objects,
        tickets=TicketQueue(settings.redis),
        engine=engine,
        compressors=compressors,
        models=shelf.models,
        record=record,
        metrics=metrics,
        pacer=pacer,
        checkpointer=checkpointer,
        spool=spool,
        storage_patience_seconds=settings.worker.storage_patience_seconds,
        safety=safety,
        # They would show what the checker blackens.
        previews=None if safety else previews,
        tracing=tracing,
    )
    queue_worker = QueueWorker(
        worker_id,
        shelf.claimable,
        tuple(shelf.entries),
        settings.worker.high_slots,
        connect_rq(settings.redis, name=worker_id),
        store,
        attempts,
        work=lambda attempt: work(shop, attempt),
        healthy=healthy,
        tracing=tracing,
    )
    return Runtime(
        identity=identity,
        metrics=metrics,
        metrics_server=metrics_server,
        store=store,
        engine=engine,
        compressors=compressors,
        previews=previews,
        shelf=shelf,
        residency=Residency(
            worker_id,
            store,
            shelf,
            engine,
            attempts,
            settings.worker.model_patience_seconds,
            lambda: store.announce_worker(identity.record()),
        ),
        safety=safety,
        attempts=attempts,
        pulse=Pulse(store, attempts, metrics, settings.jobs.lease_seconds, identity.record),
        checkpointer=checkpointer,
        control=Control(redis_pair.durable, worker_id, attempts),
        queue_worker=queue_worker,
        tracing=tracing,
        healthy=healthy,
        drain=Drain(store, attempts, checkpointer, ticks, settings.worker.grace_seconds),
        watchdog=Watchdog(
            attempts,
            ticks,
            lambda: bool(shelf.loading),
            settings.worker.stall_seconds,
            end_at_once,
        ),
        notice=SpotNotice(settings.worker.spot_notice_file, queue_worker.request_stop),
    )
