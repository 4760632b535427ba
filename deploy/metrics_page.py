"""`python -m deploy.metrics_page [--check]`: docs/metrics.md, from the registries themselves."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from api.metrics import GatewayMetrics
from deploy.generated import ROOT, main
from keeper.metrics import KeeperMetrics
from shared.metrics import new_registry
from shared.storage_metrics import StorageMetrics
from worker.gpu_metrics import GpuCollector
from worker.metrics import WorkerMetrics

PAGE = ROOT / "docs" / "metrics.md"
HEAD = """# Metrics

Each process serves `/metrics` on a port of its own (`TESSERA_METRICS_PORT`). The names are an
interface: dashboards, alerts and the autoscaler use them. Beside these, every process has the
`process_*` and `python_*` series of prometheus-client. A histogram `x` is exposed as `x_bucket`,
`x_sum` and `x_count`. Series with a label `model` begin at zero for each model of `models.toml`.

| metric | type | labels | told by | meaning |
|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Family:
    """One metric as Prometheus sees it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    process: str
    meaning: str

    @property
    def exposed(self) -> tuple[str, ...]:
        """The names of its series."""
        if self.kind == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))
        return (self.name,)


def families() -> Iterator[Family]:
    """Every `tessera_*` metric of every process; the GPU's too, without a GPU."""
    gateway = GatewayMetrics()
    keeper, worker = new_registry("keeper"), new_registry("worker")
    KeeperMetrics(keeper)
    WorkerMetrics(worker)
    for process, registry in (
        ("gateway", gateway.registry),
        ("keeper", keeper),
        ("worker", worker),
    ):
        StorageMetrics(registry)
        yield from _of_registry(process, registry)
    for metric in GpuCollector.describe():
        labels = tuple(metric._labelnames)
        yield _family(metric.name, metric.type, labels, "worker with a GPU", metric.documentation)


def _of_registry(process: str, registry: CollectorRegistry) -> Iterator[Family]:
    # prometheus-client tells labels only of series that exist, its collectors know them.
    for collector in list(registry._collector_to_names):
        for metric in collector.collect():
            if metric.name.startswith("tessera_"):
                labels = tuple(getattr(collector, "_labelnames", ()))
                yield _family(metric.name, metric.type, labels, process, metric.documentation)


def _family(name: str, kind: str, labels: tuple[str, ...], process: str, meaning: str) -> Family:
    suffix = {"counter": "_total", "info": "_info"}.get(kind, "")
    return Family(name + suffix, kind, labels, process, meaning)


def page() -> str:
    """The page's text: a metric a line, by name, with every process that tells it."""
    told: dict[str, list[Family]] = {}
    for family in families():
        told.setdefault(family.name, []).append(family)
    lines = []
    for name, versions in sorted(told.items()):
        one = versions[0]
        labels = ", ".join(f"`{label}`" for label in one.labels)
        processes = ", ".join(family.process for family in versions)
        lines.append(f"| `{name}` | {one.kind} | {labels} | {processes} | {one.meaning} |")
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main({PAGE: page()}, sys.argv[1:]))
