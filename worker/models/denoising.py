"""A sample's tensors while it is denoised."""

from dataclasses import dataclass

import torch
from torch import Tensor

from worker.models.context import Context
from worker.models.device import Device
from worker.samplers.tables import SamplerTable


@dataclass(eq=False, slots=True)
class Denoising:
    """`Sample.state` of the diffusion stepper.

    Attributes:
        planes: [1 + r, C, H, W] float32: the latent and the registers that its sampler needs.
        noise: [draws, C, H, W] float32: all that the sample will ever draw.
        lines: [ticks, 1 + ...] float32: the guidance scale, then the table's line.
        noise_index: the draw that each tick uses.
        context: of the prompt.
        negative: of the negative prompt; None without guidance.
    """

    planes: Tensor
    noise: Tensor
    lines: Tensor
    noise_index: tuple[int, ...]
    context: Context
    negative: Context | None

    def move(self, device: Device) -> None:
        """Bring the tensors to the device; those that `from_noise` made need no waiting."""
        self.planes = self.planes.to(device.place, non_blocking=True)
        self.noise = self.noise.to(device.place, non_blocking=True)
        self.lines = self.lines.to(device.place, non_blocking=True)


def from_noise(
    table: SamplerTable,
    noise: Tensor,
    context: Context,
    negative: Context | None,
    guidance_scale: float,
    device: Device,
) -> Denoising:
    """The state before the first tick, its tensors still on the host.

    `noise` is [draws, C, H, W]; draw 0 makes the first latent.
    """
    # Registers start at zero: a coefficient of zero would not silence what is left in memory.
    planes = torch.zeros(1 + table.registers, *noise.shape[1:])
    planes[0] = noise[0] * table.initial_scale
    scales = torch.full((table.ticks, 1), guidance_scale)
    return Denoising(
        planes=device.staged(planes),
        noise=device.staged(noise),
        lines=device.staged(torch.cat([scales, table.lines], dim=1)),
        noise_index=table.noise_index,
        context=context,
        negative=negative,
    )
