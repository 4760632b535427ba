"""A sample's tensors while it is denoised."""

from dataclasses import dataclass

import torch
from torch import Tensor

from worker.models.context import Context
from worker.models.device import Device
from worker.models.viewer import Viewer
from worker.samplers.tables import SamplerTable


@dataclass(eq=False, slots=True)
class Original:
    """What an ordinary UNet's inpainting keeps of the input picture.

    Attributes:
        latent: [C, H, W] float32, the picture's.
        mask: [1, H, W] float32, 1 where to repaint.
        levels: [ticks, 2] float32, (a, b): after a tick the kept part is a * latent + b * noise.
    """

    latent: Tensor
    mask: Tensor
    levels: Tensor


@dataclass(eq=False, slots=True)
class ControlPicture:
    """What a ControlNet is shown for one sample, and when it counts.

    Attributes:
        type: which of the model's ControlNets.
        pixels: [3, height, width] between 0 and 1, in the model's precision.
        scale: of its residuals.
        active: for each tick, whether it counts.
    """

    type: str
    pixels: Tensor
    scale: float
    active: tuple[bool, ...]


@dataclass(eq=False, slots=True)
class Denoising:
    """`Sample.state` of the diffusion stepper.

    Attributes:
        batch: [samples, at least 1 + r, C, H, W] float32, in which its planes are.
        place: where in it.
        registers: r, how many its sampler needs.
        noise: [draws, C, H, W] float32: all that the sample will ever draw.
        lines: [ticks, 1 + ...] float32: the guidance scale, then the table's line.
        noise_index: the draw that each tick uses.
        context: of the prompt.
        negative: of the negative prompt; None without guidance.
        original: what inpainting keeps; None where all is repainted, or the UNet sees the mask.
        beside: [1 + C, H, W] in the model's precision: mask and masked picture, for a UNet that
            has inputs for them; None otherwise.
        controls: in the order of the request.
        guidance_rescale: how much of the guided output's spread is taken back, 0 to 1.
        guidance_embedding: [width] in the model's precision, for a UNet that is told its
            guidance; None otherwise.
        clean: [ticks, 2] float32 on the host: (a, b), a tick foresees the clean latent
            a * latent + b * model output.
        viewer: who looks at the sample on its way; None for nobody.
    """

    batch: Tensor
    place: int
    registers: int
    noise: Tensor
    lines: Tensor
    noise_index: tuple[int, ...]
    context: Context
    negative: Context | None
    original: Original | None
    beside: Tensor | None
    controls: tuple[ControlPicture, ...]
    guidance_rescale: float
    guidance_embedding: Tensor | None
    clean: Tensor
    viewer: Viewer | None

    @property
    def planes(self) -> Tensor:
        """[1 + r, C, H, W] float32: the latent and the registers."""
        return self.batch[self.place, : 1 + self.registers]

    def move(self, device: Device) -> None:
        """Bring the tensors to the device; those that `begin` made need no waiting."""

        def moved(tensor: Tensor) -> Tensor:
            return tensor.to(device.place, non_blocking=True)

        self.batch = moved(self.batch)
        self.noise = moved(self.noise)
        self.lines = moved(self.lines)
        if self.original:
            self.original.latent = moved(self.original.latent)
            self.original.mask = moved(self.original.mask)
            self.original.levels = moved(self.original.levels)
        if self.beside is not None:
            self.beside = moved(self.beside)
        if self.guidance_embedding is not None:
            self.guidance_embedding = moved(self.guidance_embedding)
        for control in self.controls:
            # The job's images share it: only the first one moves it.
            control.pixels = moved(control.pixels)


def begin(
    table: SamplerTable,
    latent: Tensor,
    noise: Tensor,
    context: Context,
    negative: Context | None,
    guidance_scale: float,
    device: Device,
    *,
    original: Original | None = None,
    beside: Tensor | None = None,
    controls: tuple[ControlPicture, ...] = (),
    guidance_rescale: float = 0.0,
    guidance_embedding: Tensor | None = None,
    viewer: Viewer | None = None,
) -> Denoising:
    """The state before the first tick, its tensors still on the host.

    `latent` is [C, H, W], what the first tick finds; `noise` is [draws, C, H, W].
    """
    # Registers start at zero: a coefficient of zero would not silence what is left in memory.
    planes = torch.zeros(1 + table.registers, *latent.shape)
    planes[0] = latent
    scales = torch.full((table.ticks, 1), guidance_scale)
    return Denoising(
        batch=device.staged(planes[None]),
        place=0,
        registers=table.registers,
        noise=device.staged(noise),
        lines=device.staged(torch.cat([scales, table.lines], dim=1)),
        noise_index=table.noise_index,
        context=context,
        negative=negative,
        original=original,
        beside=beside,
        controls=controls,
        guidance_rescale=guidance_rescale,
        guidance_embedding=guidance_embedding,
        clean=table.clean,
        viewer=viewer,
    )
