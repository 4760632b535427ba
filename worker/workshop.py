"""The workshop: everything that a job's thread works with, in one value."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.objects import ObjectStore
from shared.queue import TicketQueue
from shared.store.job_store import JobStore
from shared.tracing import UNTRACED, Tracing
from worker.checkpoint import Checkpointer
from worker.compressors import Compressors
from worker.engine.engine import Engine
from worker.flight_record import FlightRecord
from worker.metrics import WorkerMetrics
from worker.models.resident import ResidentModel
from worker.models.safety import SafetyChecker
from worker.pace import Pacer
from worker.previews import Previews
from worker.spool import Spool


@dataclass(frozen=True)
class Workshop:
    """Everything that a job needs.

    Without `previews` nothing is shown before a picture is finished, and no trajectory either.
    """

    store: JobStore
    objects: ObjectStore
    tickets: TicketQueue
    engine: Engine
    compressors: Compressors
    models: Mapping[str, ResidentModel]
    record: FlightRecord
    metrics: WorkerMetrics
    pacer: Pacer
    checkpointer: Checkpointer
    spool: Spool
    storage_patience_seconds: float
    safety: SafetyChecker | None = None
    previews: Previews | None = None
    tracing: Tracing = UNTRACED
