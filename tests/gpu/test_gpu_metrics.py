"""The GPU's figures come from NVML, for the device that torch uses."""

import pytest
import torch
from prometheus_client import CollectorRegistry

from worker.gpu_metrics import watch_gpu

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


def test_memory_in_use_is_seen_by_both_nvml_and_torch():
    held = torch.zeros(64 * 1024**2, device="cuda")
    registry = CollectorRegistry()
    watch_gpu(registry)
    memory = {
        kind: registry.get_sample_value("tessera_gpu_memory_bytes", {"kind": kind})
        for kind in ("allocated", "reserved", "used", "total")
    }
    assert held.nbytes <= memory["allocated"] <= memory["reserved"]
    assert memory["reserved"] <= memory["used"] < memory["total"]
    assert 0 <= registry.get_sample_value("tessera_gpu_utilization_ratio") <= 1
    assert 0 < registry.get_sample_value("tessera_gpu_temperature_celsius") < 120
    assert registry.get_sample_value("tessera_gpu_energy_joules_total") > 0
