"""What the GPU says of itself: memory, utilisation, temperature and energy, read at each scrape."""

import logging
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

log = logging.getLogger(__name__)


def watch_gpu(registry: CollectorRegistry) -> None:
    """Let `registry` tell about the GPU that this process uses, where NVML can be asked.

    Called after CUDA was initialised, so that torch says which GPU it is.
    """
    if find_spec("pynvml") is None:
        log.warning("no figures of the GPU: the extra `gpu` is not installed")
        return
    import pynvml
    import torch

    pynvml.nvmlInit()
    # The number of a device differs between NVML and torch; its UUID does not.
    uuid = f"GPU-{torch.cuda.get_device_properties(0).uuid}"
    handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
    registry.register(GpuCollector(pynvml, handle, torch.cuda))


class GpuCollector(Collector):
    """The series of one GPU."""

    def __init__(self, nvml: Any, handle: Any, cuda: Any) -> None:
        """`nvml` is the pynvml module, `handle` its word for the device; `cuda` is torch's."""
        self._cuda = cuda
        self._nvml = nvml
        self._handle = handle

    @staticmethod
    def describe() -> list[GaugeMetricFamily | CounterMetricFamily]:
        """The families without samples: what would be there."""
        return [
            GaugeMetricFamily(
                "tessera_gpu_memory_bytes",
                "Memory of the GPU: total, used by all its processes, and of these bytes what "
                "torch has reserved and allocated.",
                labels=["kind"],
            ),
            GaugeMetricFamily(
                "tessera_gpu_utilization_ratio",
                "Share of the driver's last sampling period in which a kernel ran.",
            ),
            GaugeMetricFamily("tessera_gpu_temperature_celsius", "Temperature of the GPU."),
            CounterMetricFamily(
                "tessera_gpu_energy_joules", "Energy used since the driver was loaded."
            ),
        ]

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """The families with this moment's values."""
        nvml, handle = self._nvml, self._handle
        memory, utilization, temperature, energy = self.describe()
        held = nvml.nvmlDeviceGetMemoryInfo(handle)
        for kind, size in (
            ("total", held.total),
            ("used", held.used),
            ("reserved", self._cuda.memory_reserved()),
            ("allocated", self._cuda.memory_allocated()),
        ):
            memory.add_metric([kind], size)
        utilization.add_metric([], nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100)
        temperature.add_metric([], nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
        energy.add_metric([], nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000)
        yield from (memory, utilization, temperature, energy)
