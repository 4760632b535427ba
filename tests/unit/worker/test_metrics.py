"""The worker's series have the names that dashboards and alerts are made of."""

from prometheus_client import CollectorRegistry, generate_latest

from worker.engine.engine import TickReport
from worker.metrics import WorkerMetrics

NAMES = (
    "step_duration_seconds",
    "batch_rows",
    "engine_busy_ratio",
    "images_total",
    "image_steps_total",
    "stage_duration_seconds",
    "job_queue_seconds",
    "job_duration_seconds",
    "jobs_finished_total",
    "job_errors_total",
    "leases_reaped_total",
    "model_load_seconds",
    "model_loaded",
    "prompt_cache_requests_total",
)


def test_every_name_is_there():
    registry = CollectorRegistry()
    WorkerMetrics(registry)
    text = generate_latest(registry).decode()
    for name in NAMES:
        assert f"# HELP tessera_{name} " in text


def test_a_tick_is_counted():
    registry = CollectorRegistry()
    metrics = WorkerMetrics(registry)
    metrics.observe_tick(
        TickReport("tiny", 5, 6, samples=3, seconds=0.25, groups=2, latent_area=64, crowded=True)
    )
    labels = {"model": "tiny", "rows": "6"}
    assert registry.get_sample_value("tessera_step_duration_seconds_sum", labels) == 0.25
    assert registry.get_sample_value("tessera_batch_rows_sum") == 5
    assert registry.get_sample_value("tessera_image_steps_total") == 3
    assert metrics.busy_seconds == 0.25


def test_a_prompt_is_counted():
    registry = CollectorRegistry()
    metrics = WorkerMetrics(registry)
    for hit in (False, True, True):
        metrics.observe_prompt(hit)

    for result, count in (("hit", 2), ("miss", 1)):
        labels = {"result": result}
        found = registry.get_sample_value("tessera_prompt_cache_requests_total", labels)
        assert found == count
