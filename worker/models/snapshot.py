"""A sample's latent and registers between two ticks: to the host, and back into a new sample."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from shared.checkpoint import Checkpoint
from worker.engine.sample import Sample
from worker.models.denoising import Denoising
from worker.models.device import Device


@dataclass(frozen=True, eq=False)
class StateSnapshot:
    """`planes` are a sample's at that tick, [1 + r, C, H, W] float32, on the host.

    `arrived` marks in the stream when they are complete; None where they are already.
    """

    tick: int
    planes: Tensor
    arrived: torch.cuda.Event | None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the planes."""
        return tuple(self.planes.shape)

    def content(self) -> bytes | None:
        """The planes' bytes, once they have arrived; None where they are not finite."""
        if self.arrived is not None:
            self.arrived.synchronize()
        planes = self.planes.numpy()
        return planes.tobytes() if np.isfinite(planes).all() else None


def take_snapshot(sample: Sample, device: Device) -> StateSnapshot:
    """Begin to copy the state as it is after the ticks that were launched."""
    state: Denoising = sample.state
    if not device.is_cuda:
        return StateSnapshot(sample.tick, state.planes, None)  # a tick makes new ones
    planes = torch.empty(state.planes.shape, pin_memory=True)
    planes.copy_(state.planes, non_blocking=True)
    arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
    arrived.record()
    return StateSnapshot(sample.tick, planes, arrived)


def restore(sample: Sample, checkpoint: Checkpoint, device: Device) -> bool:
    """Let a prepared sample go on from the checkpoint; False where it has another shape."""
    state: Denoising = sample.state
    shape = tuple(state.planes.shape)
    if checkpoint.shape != shape or not 0 < checkpoint.tick <= sample.ticks:
        return False
    planes = torch.frombuffer(bytearray(checkpoint.planes), dtype=torch.float32)
    state.batch, state.place = device.staged(planes.view(1, *shape)), 0
    sample.tick = sample.kept_tick = checkpoint.tick
    return True
