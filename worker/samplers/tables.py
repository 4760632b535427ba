"""Sampler tables: trajectories packed for the device, one line a tick, made once and cached."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor

from shared.errors import SamplerUnsuited
from worker.samplers.catalog import make_scheduler
from worker.samplers.probe import Trajectory, probe

# Every table has room for this many, used or not, so that all samplers fit one batched update.
REGISTERS = 4
PLANES = 1 + REGISTERS
COLUMNS = PLANES + 2
OUTPUT, NOISE = PLANES, PLANES + 1

# A trajectory takes tens of kilobytes and tens of milliseconds.
CACHED_TABLES = 1024


@dataclass(frozen=True, eq=False)
class SamplerTable:
    """What the tick needs of a sampler, for T ticks.

    Attributes:
        lines: [T, 2 + PLANES * COLUMNS] float32; a line is timestep, input scale, then the matrix
            that takes (latent, registers, model output, noise) to (latent, registers).
        noise_index: the draw that tick t uses; draw 0 is the initial noise, and ticks that draw
            nothing point there with a coefficient of zero.
        draws: how many noises a sample draws in all, the initial one among them.
        registers: how many of the REGISTERS are used.
        noising: [T, 2] float32, see `Trajectory`: tick t's latent from a clean one and a noise.
        clean: [T, 2] float32, see `Trajectory`: the clean latent that tick t predicts.
        initial_scale: the first latent is the initial noise times this.
    """

    lines: Tensor
    noise_index: tuple[int, ...]
    draws: int
    registers: int
    noising: Tensor
    clean: Tensor
    initial_scale: float

    @property
    def ticks(self) -> int:
        """Model calls of the whole trajectory."""
        return self.lines.shape[0]


def build_table(
    scheduler_config: Mapping[str, Any],
    sampler: str,
    schedule: str,
    steps: int,
    start: int = 0,
    eta: float = 0.0,
) -> SamplerTable:
    """Probe the sampler and pack what it answers; `start` counts the ticks that are skipped.

    Raises ValueError, diffusers also NotImplementedError, for unknown names and where the method
    does not fit the model.
    """
    scheduler = make_scheduler(scheduler_config, sampler, schedule)
    return pack(probe(scheduler, steps, start, eta))


def pack(trajectory: Trajectory) -> SamplerTable:
    """The table of a trajectory. Raises ValueError where it carries too many registers."""
    if trajectory.registers > REGISTERS:
        raise ValueError(f"the method carries {trajectory.registers} tensors, not {REGISTERS}")
    ticks = len(trajectory.timesteps)
    planes = 1 + trajectory.registers
    matrices = torch.zeros(ticks, PLANES, COLUMNS, dtype=torch.float64)
    matrices[:, :planes, :planes] = trajectory.matrices[:, :, :planes]
    matrices[:, :planes, PLANES:] = trajectory.matrices[:, :, planes:]
    line = [trajectory.timesteps[:, None], trajectory.input_scale[:, None], matrices.flatten(1)]
    noise_index, draws = [], 1
    for tick_draws in trajectory.draws:
        noise_index.append(draws if tick_draws else 0)
        draws += tick_draws
    return SamplerTable(
        lines=torch.cat(line, dim=1).float(),
        noise_index=tuple(noise_index),
        draws=draws,
        registers=trajectory.registers,
        noising=trajectory.noising.float(),
        clean=trajectory.clean.float(),
        initial_scale=trajectory.initial_scale,
    )


class SamplerTables:
    """The tables of one model, by (sampler, schedule, steps, start, eta). For any thread."""

    def __init__(self, scheduler_config: Mapping[str, Any]) -> None:
        # Some methods take over a second of the interpreter: one thread at a time builds.
        self._lock = threading.Lock()
        self._build = lru_cache(CACHED_TABLES)(partial(build_table, scheduler_config))

    def get(
        self, sampler: str, schedule: str, steps: int, start: int = 0, eta: float = 0.0
    ) -> SamplerTable:
        """The table, made at the first call; `start` counts the ticks that are skipped.

        Raises SamplerUnsuited, with the reason, where the sampler does not fit the model.
        """
        try:
            with self._lock:
                return self._build(sampler, schedule, steps, start, eta)
        except (ValueError, NotImplementedError) as error:
            # The latter is diffusers' word for a kind of prediction that a class does not know.
            raise SamplerUnsuited(f"{sampler} does not fit this model: {error}") from error
