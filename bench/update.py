"""The sampler's step apart from the model: sixteen unlike samples, ours beside diffusers'.

Ours scales, guides and updates all of them in one batch; diffusers' pipelines would do so and call
sixteen schedulers one after the other. Both get the same outputs of a model that costs nothing,
and both draw the noises of the stochastic samplers. The service draws them beforehand, in the
jobs' threads: `batched_drawn_ms` is what is left in its tick.
"""

import copy
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from bench.figures import ratios, summary
from worker.samplers.catalog import make_scheduler
from worker.samplers.tables import COLUMNS, PLANES, build_table
from worker.samplers.update import advance, guide

SAMPLERS = ("euler", "euler_a", "ddim", "dpmpp_2m", "dpmpp_2m_sde", "unipc", "heun", "pndm")
SAMPLES = 16
STEPS = 20
TICKS = 20  # the shortest trajectory's
SHAPE = (4, 64, 64)  # a latent of 512 x 512 pixels
ROUNDS = 15
GUIDANCE = 7.5
CONFIG = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
}


def ours(outputs: Tensor, drawn: bool) -> Callable[[], None]:
    """One trajectory of all samples in one batch; `outputs` are [2 * SAMPLES, C, H, W].

    `drawn`: the noises are there already.
    """
    tables = [build_table(CONFIG, name, "default", STEPS) for name in _names()]
    lines = torch.stack([table.lines[:TICKS] for table in tables], dim=1)
    input_scales = lines[:, :, 1].reshape(TICKS, SAMPLES, 1, 1, 1)
    matrices = lines[:, :, 2:].reshape(TICKS, SAMPLES, PLANES, COLUMNS)
    stochastic = [i for i, table in enumerate(tables) if table.draws > 1]
    noise = {i: torch.randn(SHAPE) for i in stochastic}
    scales = torch.full((SAMPLES,), GUIDANCE)
    registers = max(table.registers for table in tables)

    def trajectory() -> None:
        planes = torch.zeros(SAMPLES, 1 + registers, *SHAPE)
        for tick in range(TICKS):
            for one in () if drawn else noise.values():
                one.normal_()
            planes[:, 0].mul(input_scales[tick])
            prediction = guide(outputs[:SAMPLES], outputs[SAMPLES:], scales)
            planes = advance(planes, prediction, noise, matrices[tick])

    return trajectory


def theirs(outputs: Tensor) -> Callable[[], None]:
    """The same with a scheduler a sample, as a script that serves requests side by side does."""
    prototypes = []
    for name in _names():
        scheduler = make_scheduler(CONFIG, name, "default")
        scheduler.set_timesteps(STEPS)
        prototypes.append(scheduler)

    def trajectory() -> None:
        schedulers = [copy.deepcopy(prototype) for prototype in prototypes]
        latents = [torch.zeros(1, *SHAPE) for _ in schedulers]
        for tick in range(TICKS):
            for i, scheduler in enumerate(schedulers):
                conditional, negative = outputs[i : i + 1], outputs[SAMPLES + i : SAMPLES + i + 1]
                prediction = negative + GUIDANCE * (conditional - negative)
                timestep = scheduler.timesteps[tick]
                scheduler.scale_model_input(latents[i], timestep)
                latents[i] = scheduler.step(prediction, timestep, latents[i], return_dict=False)[0]

    return trajectory


def milliseconds(trajectory: Callable[[], None]) -> float:
    """A tick's share of one trajectory."""
    began = time.perf_counter()
    trajectory()
    return (time.perf_counter() - began) / TICKS * 1e3


def run() -> dict[str, Any]:
    """Interleaved rounds; medians in milliseconds a tick of sixteen samples."""
    outputs = torch.randn(2 * SAMPLES, *SHAPE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        cases = {
            "batched": ours(outputs, drawn=False),
            "batched_drawn": ours(outputs, drawn=True),
            "schedulers": theirs(outputs),
        }
        rounds: dict[str, list[float]] = {name: [] for name in cases}
        for number in range(1 + ROUNDS):
            for name, trajectory in cases.items():
                measured = milliseconds(trajectory)
                if number > 0:  # the first round warms up
                    rounds[name].append(measured)
    found = {f"{name}_ms": summary(milliseconds) for name, milliseconds in rounds.items()}
    return {**found, "times_faster": ratios(rounds["schedulers"], rounds["batched"], digits=2)}


def _names() -> list[str]:
    return [SAMPLERS[index % len(SAMPLERS)] for index in range(SAMPLES)]


if __name__ == "__main__":
    for name, value in run().items():
        print(f"{name:20} {value}")
