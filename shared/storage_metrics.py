"""What every process counts of its calls to the object store."""

from prometheus_client import CollectorRegistry, Counter, Histogram

OPERATIONS = ("put", "get", "head", "list", "delete")
SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class StorageMetrics:
    """One object a registry; its `observe` is given to the ObjectStore."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "tessera_storage_operation_seconds",
            "Time of one call to S3, its retries included.",
            ["operation"],
            buckets=SECONDS,
            registry=registry,
        )
        self._errors = Counter(
            "tessera_storage_errors",
            "Calls to S3 that failed: refused, or not answered.",
            ["operation"],
            registry=registry,
        )
        for operation in OPERATIONS:
            self._seconds.labels(operation)
            self._errors.labels(operation)

    def observe(self, operation: str, seconds: float, answered: bool) -> None:
        """Count one call, whichever thread made it."""
        self._seconds.labels(operation).observe(seconds)
        if not answered:
            self._errors.labels(operation).inc()
