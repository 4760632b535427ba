"""What the gateway counts. The names are an interface: dashboards and alerts use them."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from shared.metrics import new_registry

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class GatewayMetrics:
    """The gateway's series on a registry of their own."""

    def __init__(self) -> None:
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
