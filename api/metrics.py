"""What the gateway counts. The names are an interface: dashboards and alerts use them."""

from collections.abc import Iterable
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared.errors import (
    BodyTooLarge,
    IdempotencyMismatch,
    InvalidBody,
    InvalidRequest,
    QueueFull,
    QuotaExceeded,
    RateLimited,
    StorageUnavailable,
    StoreUnavailable,
)
from shared.job import JobStatus
from shared.metrics import new_registry
from shared.request import PRIORITIES

SERIES = 1024

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
DEPENDENCIES = {"redis": StoreUnavailable, "s3": StorageUnavailable}
# The refusals that every installation meets; there are more, and each appears when it happens.
REFUSALS = (
    BodyTooLarge,
    IdempotencyMismatch,
    InvalidBody,
    InvalidRequest,
    QuotaExceeded,
    QueueFull,
    RateLimited,
    StorageUnavailable,
    StoreUnavailable,
)


class GatewayMetrics:
    """The gateway's series on a registry of their own."""

    def __init__(self, models: Iterable[str] = ()) -> None:
        """Series of `models` begin at zero, so that no panel is empty before the first job."""
        self.registry: CollectorRegistry = new_registry("gateway")
        self.jobs_submitted = Counter(
            "tessera_jobs_submitted_total",
            "Jobs accepted.",
            ["model", "priority"],
            registry=self.registry,
        )
        self.jobs_rejected = Counter(
            "tessera_jobs_rejected_total",
            "Submissions refused, by the problem's code.",
            ["reason"],
            registry=self.registry,
        )
        self.jobs_finished = Counter(
            "tessera_jobs_finished_total",
            "Jobs that this process brought to their end.",
            ["model", "status"],
            registry=self.registry,
        )
        self.dependency_up = Gauge(
            "tessera_dependency_up",
            "1 while the server answers this gateway.",
            ["dependency"],
            registry=self.registry,
        )
        self.tickets_dropped = Counter(
            "tessera_tickets_dropped_total",
            "Tickets that could not be sent; the pump sends others.",
            registry=self.registry,
        )
        self.http_requests = Counter(
            "tessera_http_requests_total",
            "HTTP requests answered, by route template.",
            ["handler", "method", "status"],
            registry=self.registry,
        )
        self.http_seconds = Histogram(
            "tessera_http_request_duration_seconds",
            "Time to the first byte of the answer, by route template.",
            ["handler", "method"],
            buckets=SECONDS,
            registry=self.registry,
        )
        # Finding a series by its labels costs more than counting; routes times methods are few.
        self._exchange_series = lru_cache(SERIES)(self._find_exchange_series)
        for refusal in REFUSALS:
            self.jobs_rejected.labels(refusal.code)
        for model in models:
            self.jobs_finished.labels(model, JobStatus.CANCELED)
            for priority in PRIORITIES:
                self.jobs_submitted.labels(model, priority)

    def observe_exchange(self, handler: str, method: str, status: int, seconds: float) -> None:
        """An exchange was answered with `status`; its first byte came after `seconds`."""
        requests, duration = self._exchange_series(handler, method, status)
        requests.inc()
        duration.observe(seconds)

    def _find_exchange_series(
        self, handler: str, method: str, status: int
    ) -> tuple[Counter, Histogram]:
        return (
            self.http_requests.labels(handler, method, f"{status // 100}xx"),
            self.http_seconds.labels(handler, method),
        )

    def observe_dependencies(self, problem: Exception | None) -> None:
        """Tell which server a check found missing, None where both answered."""
        for name, missing in DEPENDENCIES.items():
            self.dependency_up.labels(name).set(not isinstance(problem, missing))
