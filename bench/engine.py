"""What a tick costs besides the model: engine overhead at one and eight samples, idle and busy.

The bundled model's UNet is wrapped so that the time inside it is known; the rest of a tick's
wall time (admission, batcher, gathering, sampler update, reports) is the overhead. Busy means
eight more threads that do what job threads do most: compress pictures.
"""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DConditionModel

from bench.figures import ratios, summary
from bench.requests import request
from worker.compressors import Compressors
from worker.engine.batcher import Batcher
from worker.engine.engine import Engine
from worker.engine.sample import BatchKey, Kind, Sample
from worker.models.adapters import Adapters
from worker.models.denoising import begin
from worker.models.device import DeviceSettings, resolve_device
from worker.models.stepper import DiffusionStepper
from worker.models.text import Context
from worker.niceness import step_back
from worker.runtime import SWITCH_SECONDS
from worker.samplers.noise import draw_noise
from worker.samplers.tables import build_table
from worker.settings import WorkerSettings

MODEL = Path(__file__).parent.parent / "models" / "emoji"
TICKS = 20  # the default number of steps
ROUNDS = 5
BUSY_THREADS = 8
CPU = resolve_device(DeviceSettings(device="cpu"))
CONTEXT_TOKENS = 77


class TimedModule:
    """A module that adds up the time spent in it."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.config = module.config
        self.seconds = 0.0

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        began = time.perf_counter()
        answer = self.module(*arguments, **options)
        self.seconds += time.perf_counter() - began
        return answer


def make_samples(count: int, unet: TimedModule) -> list[Sample]:
    """Guided samples with every sampler among them."""
    shape = (unet.config.in_channels, unet.config.sample_size, unet.config.sample_size)
    width = unet.config.cross_attention_dim
    samplers = ("dpmpp_2m", "euler", "euler_a", "unipc")
    samples = []
    for index in range(count):
        table = build_table({}, samplers[index % len(samplers)], "default", TICKS)
        contexts = [
            Context(torch.randn(CONTEXT_TOKENS, width), chunks=1, padding=0, tokens=5)
            for _ in range(2)
        ]
        noise = draw_noise(index, shape, table.draws)
        state = begin(table, noise[0], noise, contexts[0], contexts[1], 7.5, CPU)
        key = BatchKey("bench", shape, Kind.ORDINARY)
        samples.append(Sample(f"job_{index}", 0, key, 2, TICKS, 1, index, state))
    return samples


def tick_microseconds(count: int, unet: TimedModule) -> tuple[float, float]:
    """One round through a fresh engine: (overhead, time in the UNet), each a tick."""
    stepper = DiffusionStepper(unet, {}, Adapters(unet, CPU), CPU, pixels_per_latent=8)
    engine = Engine(
        Batcher(lambda _: stepper.max_rows),
        {"bench": stepper},
        observe=lambda report: None,
        within=torch.inference_mode,
    )
    samples = make_samples(count, unet)
    engine.submit(samples)
    unet.seconds = 0.0
    began = time.perf_counter()
    engine.start()
    for sample in samples:
        sample.finished.result()
    wall = time.perf_counter() - began
    engine.stop()
    return (wall - unet.seconds) / TICKS * 1e6, unet.seconds / TICKS * 1e6


@contextmanager
def busy_threads(compressors: Compressors) -> Iterator[None]:
    """Eight job threads that have pictures compressed for as long as the block runs."""
    pixels = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    asked = request()
    ended = threading.Event()

    def compress() -> None:
        step_back()
        while not ended.is_set():
            compressors.encode(pixels, asked, 0)

    threads = [threading.Thread(target=compress) for _ in range(BUSY_THREADS)]
    for thread in threads:
        thread.start()
    yield
    ended.set()
    for thread in threads:
        thread.join()


def run() -> dict[str, Any]:
    """Interleaved rounds of all four cases; medians in microseconds a tick."""
    kind: Any = UNet2DConditionModel
    unet = TimedModule(kind.from_pretrained(MODEL / "unet").eval())
    compressors = Compressors(WorkerSettings().compressors)
    switch_before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    rounds: dict[str, list[tuple[float, float]]] = {}
    for number in range(1 + ROUNDS):
        for count in (1, 8):
            measured = {"idle": tick_microseconds(count, unet)}
            with busy_threads(compressors):
                measured["busy"] = tick_microseconds(count, unet)
            if number > 0:  # the first round warms up
                for case, result in measured.items():
                    rounds.setdefault(f"{case}_{count}", []).append(result)
    sys.setswitchinterval(switch_before)
    compressors.close()
    found: dict[str, Any] = {}
    for name, results in rounds.items():
        overheads, inside = zip(*results, strict=True)
        found[name] = {
            "overhead_us": summary(overheads, 0),
            "unet_us": summary(inside, 0),
            "overhead_share": ratios(overheads, inside, 4),
        }
    found["target_overhead_us"] = {"idle": 500, "busy": 1500}
    return found


if __name__ == "__main__":
    for name, value in run().items():
        print(f"{name:20} {value}")
