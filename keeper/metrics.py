"""The keeper's metrics: what waits, which workers live, and what was tidied up."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge

from shared.job import JobStatus


class KeeperMetrics:
    """One object a process. The gauges of the queue come from here alone."""

    def __init__(self, registry: CollectorRegistry, models: Iterable[str] = ()) -> None:
        """Series of `models` begin at zero, so that no panel is empty before the first job."""
        lane = ["model", "priority"]
        self.queue_jobs = Gauge("tessera_queue_jobs", "Jobs that wait.", lane, registry=registry)
        self.queue_cost = Gauge(
            "tessera_queue_cost",
            "Rows x calls of the model x megapixels x images that wait.",
            lane,
            registry=registry,
        )
        self.queue_oldest_seconds = Gauge(
            "tessera_queue_oldest_seconds",
            "How long the oldest job has been waiting.",
            lane,
            registry=registry,
        )
        self.workers = Gauge(
            "tessera_workers", "Workers that live, by state.", ["state"], registry=registry
        )
        self.tickets_replaced = Counter(
            "tessera_tickets_replaced",
            "Tickets sent for jobs that had waited without one.",
            registry=registry,
        )
        self.leases_reaped = Counter(
            "tessera_leases_reaped",
            "Leases taken from workers that are gone.",
            ["reason"],
            registry=registry,
        )
        self.jobs_finished = Counter(
            "tessera_jobs_finished",
            "Jobs that this process brought to their end.",
            ["model", "status"],
            registry=registry,
        )
        self.objects_deleted = Counter(
            "tessera_objects_deleted",
            "Objects deleted from S3, by reason.",
            ["reason"],
            registry=registry,
        )
        self.webhook_deliveries = Counter(
            "tessera_webhook_deliveries",
            "Tries to deliver a webhook, by what came of them.",
            ["outcome"],
            registry=registry,
        )
        self.webhook_pending = Gauge(
            "tessera_webhook_pending", "Webhooks that are not delivered yet.", registry=registry
        )
        self.leases_reaped.labels("lease_expired")
        for outcome in ("delivered", "retried", "failed", "disabled"):
            self.webhook_deliveries.labels(outcome)
        for reason in ("retention", "orphan"):
            self.objects_deleted.labels(reason)
        for model in models:
            for status in (JobStatus.FAILED, JobStatus.EXPIRED):
                self.jobs_finished.labels(model, status)
