"""What a tick of eight unlike requests costs beside one of eight like ones.

Unlike: two methods, two step counts, one from a picture, one with a mask, one with a ControlNet,
guidance 1 and 7.5. Both batches are padded to the same rows. The target allows the unlike batch
1.25 times the UNet's time of the like one, besides what the ControlNet itself takes.
"""

import time
from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel, UNet2DConditionModel

from bench.engine import CONTEXT_TOKENS, CPU, MODEL, TimedModule
from bench.figures import summary
from worker.engine.sample import BatchKey, Kind, Sample
from worker.models.adapters import Adapters
from worker.models.context import Context
from worker.models.denoising import ControlPicture, Original, begin
from worker.models.stepper import DiffusionStepper
from worker.samplers.noise import draw_noise
from worker.samplers.tables import build_table

COUNT = 8
TICKS = 4  # of each batch, in which all its samples take part
ROUNDS = 5
PIXELS_PER_LATENT = 8
EMBEDDING_CHANNELS = (16, 32, 64, 64)
TARGET = 1.25


def make_sample(index: int, config: Any, *, unlike: bool) -> Sample:
    """Sample `index` of a batch: guided text-to-image, or what its place asks for."""
    side = config.sample_size
    shape = (4, side, side)
    sampler = "euler_a" if unlike and index % 2 else "dpmpp_2m"
    steps = 30 if unlike and index % 4 == 3 else 20
    start = 8 if unlike and index == 1 else 0
    table = build_table({}, sampler, "default", steps, start)
    noise = draw_noise(index, shape, table.draws)
    contexts = [
        Context(torch.randn(CONTEXT_TOKENS, config.cross_attention_dim), 1, 0, 5) for _ in range(2)
    ]
    guided = not (unlike and index == 2)
    original, controls = None, ()
    if unlike and index == 4:
        mask = torch.zeros(1, side, side)
        mask[:, : side // 2] = 1
        original = Original(torch.randn(shape), mask, table.noising)
    if unlike and index == 5:
        pixels = torch.rand(3, side * PIXELS_PER_LATENT, side * PIXELS_PER_LATENT)
        controls = (ControlPicture("canny", pixels, 1.0, (True,) * table.ticks),)
    state = begin(
        table,
        noise[0] * table.initial_scale,
        noise,
        contexts[0],
        contexts[1] if guided else None,
        7.5 if guided else 1.0,
        CPU,
        original=original,
        controls=controls,
    )
    key = BatchKey("bench", shape, Kind.ORDINARY)
    return Sample(f"job_{index}", 0, key, 1 + guided, table.ticks, 1, index, state)


def tick_seconds(stepper: DiffusionStepper, samples: list[Sample]) -> float:
    """Mean wall time of the batch's first ticks."""
    for sample in samples:
        stepper.admit(sample)
    began = time.perf_counter()
    for _ in range(TICKS):
        stepper.launch(samples).wait()
        for sample in samples:
            sample.tick += 1
    return (time.perf_counter() - began) / TICKS


def run() -> dict[str, Any]:
    """Interleaved rounds; medians in milliseconds a tick."""
    kind: Any = UNet2DConditionModel
    net = kind.from_pretrained(Path(MODEL) / "unet").eval()
    controlled: Any = ControlNetModel.from_unet(
        net, conditioning_embedding_out_channels=EMBEDDING_CHANNELS
    ).eval()
    unet, canny = TimedModule(net), TimedModule(controlled)
    stepper = DiffusionStepper(unet, {"canny": canny}, Adapters(unet, CPU), CPU, PIXELS_PER_LATENT)
    rounds: list[dict[str, float]] = []
    for _ in range(1 + ROUNDS):
        unet.seconds = canny.seconds = 0.0
        tick_seconds(stepper, [make_sample(i, net.config, unlike=False) for i in range(COUNT)])
        like = unet.seconds / TICKS
        unlike = tick_seconds(
            stepper, [make_sample(i, net.config, unlike=True) for i in range(COUNT)]
        )
        control = canny.seconds / TICKS
        rounds.append(
            {
                "like_unet_ms": like * 1000,
                "unlike_tick_ms": unlike * 1000,
                "control_ms": control * 1000,
                "ratio": (unlike - control) / like,
            }
        )
    # The first round warms up.
    found: dict[str, Any] = {name: summary([one[name] for one in rounds[1:]]) for name in rounds[0]}
    return {**found, "target_ratio": TARGET}


if __name__ == "__main__":
    for name, value in run().items():
        print(f"{name:20} {value}")
