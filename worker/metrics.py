"""The worker's metrics: what the engine did, what became of jobs, where their time went."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import prometheus_client as prometheus
from prometheus_client import CollectorRegistry, Gauge, Histogram

from shared.errors import (
    GenerationInvalid,
    InputGone,
    InternalError,
    ResourceExhausted,
    StorageUnavailable,
    WorkerLost,
)
from shared.job import JobStatus
from worker.engine.engine import TickReport

# Seconds; from a small model's tick on a fast card to a large one's on a CPU.
TICK_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
STAGE_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
JOB_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600)
ROW_BUCKETS = (1, 2, 4, 6, 8, 12, 16, 24, 32)
STAGES = ("prepare", "denoise", "decode", "encode", "upload")
FORM_STATES = ("building", "compiled", "graph", "compiled+graph", "failed")
FAILURES = (
    GenerationInvalid,
    InputGone,
    InternalError,
    ResourceExhausted,
    StorageUnavailable,
    WorkerLost,
)


@dataclass
class Inheritance:
    """What became of the jobs of earlier GPU processes, counted by the supervisor.

    It has no metrics port of its own, so the living process tells.
    """

    deaths: int = 0
    leases_reaped: int = 0
    jobs_lost: Counter[str] = field(default_factory=Counter)  # failed jobs by model


class WorkerMetrics:
    """One object a process; every series is labelled from small closed sets only."""

    def __init__(self, registry: CollectorRegistry, models: Iterable[str] = ()) -> None:
        """Series of `models` begin at zero, so that no panel is empty before the first job."""
        self.step_seconds = Histogram(
            "tessera_step_duration_seconds",
            "Device time of one tick, by the padded rows of its batch.",
            ["model", "rows"],
            buckets=TICK_BUCKETS,
            registry=registry,
        )
        self.batch_rows = Histogram(
            "tessera_batch_rows",
            "UNet rows that shared a tick, padding not counted.",
            buckets=ROW_BUCKETS,
            registry=registry,
        )
        self.batch_rows_limit = Gauge(
            "tessera_batch_rows_limit",
            "The widest batch of a model: its knee, measured at warm-up.",
            ["model"],
            registry=registry,
        )
        self.attention_shapes = Gauge(
            "tessera_attention_shapes",
            "Attention shapes of a model that this kernel was the fastest for, at warm-up.",
            ["model", "kernel"],
            registry=registry,
        )
        self.model_float8 = Gauge(
            "tessera_model_float8",
            "1 while the linear layers of a loaded model's UNet have 8 bits.",
            ["model"],
            registry=registry,
        )
        self.forms = Gauge(
            "tessera_model_forms",
            "Calls of a model at a fixed shape that are made faster ahead: how many are in "
            "which state.",
            ["model", "state"],
            registry=registry,
        )
        self.batch_groups = Gauge(
            "tessera_batch_groups",
            "Groups of samples that cannot share a tick and take turns.",
            registry=registry,
        )
        self.busy_ratio = Gauge(
            "tessera_engine_busy_ratio",
            "Share of the last seconds that the engine spent in ticks.",
            registry=registry,
        )
        self.images = prometheus.Counter("tessera_images", "Pictures stored.", registry=registry)
        self.image_steps = prometheus.Counter(
            "tessera_image_steps", "Steps done, counted for each image.", registry=registry
        )
        self.stage_seconds = Histogram(
            "tessera_stage_duration_seconds",
            "Time of one stage: of a job, or of one picture (decode, encode, upload).",
            ["stage"],
            buckets=STAGE_BUCKETS,
            registry=registry,
        )
        self.queue_seconds = Histogram(
            "tessera_job_queue_seconds",
            "From a job's submission to the claim of this attempt.",
            buckets=JOB_BUCKETS,
            registry=registry,
        )
        self.job_seconds = Histogram(
            "tessera_job_duration_seconds",
            "From a succeeded job's submission to its commit.",
            buckets=JOB_BUCKETS,
            registry=registry,
        )
        self.jobs_finished = prometheus.Counter(
            "tessera_jobs_finished",
            "Jobs that this process brought to their end.",
            ["model", "status"],
            registry=registry,
        )
        self.job_errors = prometheus.Counter(
            "tessera_job_errors", "Attempts that failed, by code.", ["code"], registry=registry
        )
        self.leases_reaped = prometheus.Counter(
            "tessera_leases_reaped",
            "Leases taken from workers that are gone.",
            ["reason"],
            registry=registry,
        )
        self.model_load_seconds = Gauge(
            "tessera_model_load_seconds",
            "Time to load a model and warm it up.",
            ["model"],
            registry=registry,
        )
        self.model_loaded = Gauge(
            "tessera_model_loaded", "1 while the model is ready.", ["model"], registry=registry
        )
        self.model_bytes = Gauge(
            "tessera_model_bytes",
            "What the weights of a loaded model take.",
            ["model"],
            registry=registry,
        )
        self.model_evictions = prometheus.Counter(
            "tessera_model_evictions",
            "Models taken down to make room for others.",
            ["model"],
            registry=registry,
        )
        self.prompt_cache_requests = prometheus.Counter(
            "tessera_prompt_cache_requests",
            "Prompts looked up among the encoded ones: hit, or miss and encoded now.",
            ["result"],
            registry=registry,
        )
        self.slots = Gauge("tessera_slots", "Jobs this worker can hold.", registry=registry)
        self.slots_used = Gauge("tessera_slots_used", "Jobs this worker holds.", registry=registry)
        self.running_cost = Gauge(
            "tessera_running_cost",
            "Rows x calls of the model x megapixels x images of the jobs this worker holds.",
            registry=registry,
        )
        self.samples_resumed = prometheus.Counter(
            "tessera_samples_resumed",
            "Samples that went on from a checkpoint.",
            registry=registry,
        )
        self.steps_saved = prometheus.Counter(
            "tessera_steps_saved",
            "Steps that resumed samples did not have to make again.",
            registry=registry,
        )
        self.steps_repeated = prometheus.Counter(
            "tessera_steps_repeated",
            "Steps made by earlier attempts, as far as they were reported, and lost.",
            registry=registry,
        )
        self.spool_bytes = Gauge(
            "tessera_spool_bytes",
            "Finished pictures that wait on disk, because S3 does not answer.",
            registry=registry,
        )
        self.deaths = prometheus.Counter(
            "tessera_worker_deaths",
            "GPU processes that died under this supervisor and were started again.",
            registry=registry,
        )
        self.busy_seconds = 0.0
        self._begin_at_zero(models)

    def observe_tick(self, report: TickReport) -> None:
        """Count one tick; called on the engine's thread."""
        self.step_seconds.labels(report.model, report.padded_rows).observe(report.seconds)
        self.batch_rows.observe(report.rows)
        self.batch_groups.set(report.groups)
        self.image_steps.inc(report.samples)
        self.busy_seconds += report.seconds

    def tell_forms(self, model: str, states: Iterable[str]) -> None:
        """Tell how many forms of the model are in which state."""
        counted = Counter(states)
        for state in FORM_STATES:
            self.forms.labels(model, state).set(counted[state])

    def observe_prompt(self, hit: bool) -> None:
        """Count one prompt that a job needed encoded."""
        self.prompt_cache_requests.labels("hit" if hit else "miss").inc()

    def inherit(self, inheritance: Inheritance) -> None:
        """Count what the supervisor has counted so far."""
        self.deaths.inc(inheritance.deaths)
        self.leases_reaped.labels("worker_died").inc(inheritance.leases_reaped)
        for model, jobs in inheritance.jobs_lost.items():
            self.jobs_finished.labels(model, JobStatus.FAILED).inc(jobs)
            self.job_errors.labels(WorkerLost.code).inc(jobs)

    def _begin_at_zero(self, models: Iterable[str]) -> None:
        for stage in STAGES:
            self.stage_seconds.labels(stage)
        for failure in FAILURES:
            self.job_errors.labels(failure.code)
        self.leases_reaped.labels("worker_died")
        for result in ("hit", "miss"):
            self.prompt_cache_requests.labels(result)
        for model in models:
            self.model_loaded.labels(model)
            self.model_bytes.labels(model)
            self.model_evictions.labels(model)
            self.model_float8.labels(model)
            self.tell_forms(model, ())
            for status in (JobStatus.SUCCEEDED, JobStatus.FAILED):
                self.jobs_finished.labels(model, status)
