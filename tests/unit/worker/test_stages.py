"""Stages add up to a job's timing."""

from prometheus_client import CollectorRegistry

from worker.metrics import WorkerMetrics
from worker.stages import Stages


def test_a_stage_may_come_several_times():
    registry = CollectorRegistry()
    stages = Stages(WorkerMetrics(registry), queue_seconds=0.25)
    for _ in range(2):
        with stages.stage("decode"):
            pass
    timing = stages.timing()
    assert timing.queue_ms == 250
    told = registry.get_sample_value("tessera_stage_duration_seconds_sum", {"stage": "decode"})
    assert timing.decode_ms == round(told * 1000)
    assert timing.upload_ms is None
    assert timing.total_ms is not None
    assert timing.total_ms >= 250
    count = registry.get_sample_value("tessera_stage_duration_seconds_count", {"stage": "decode"})
    assert count == 2
