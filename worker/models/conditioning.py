"""From a job's pictures to what each of its samples starts from and is steered by."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared.request import Control
from worker.models.denoising import ControlPicture, Original
from worker.models.device import Device
from worker.models.image import Autoencoder, Posterior
from worker.models.pictures import Pictures
from worker.samplers.noise import draw_noise
from worker.samplers.tables import SamplerTable


@dataclass(frozen=True, eq=False)
class Conditions:
    """A job's pictures in one pass, the same for all its images; all on the host.

    Attributes:
        image: the picture's latents; None where nothing of them is needed.
        mask: [1, h, w] float32 at the latents' size, 1 where to repaint; None for everywhere.
        masked: latents of the picture without what is to be repainted, for a UNet that has
            inputs for them.
        starts_from_noise: whether the first latent is noise and nothing else.
    """

    image: Posterior | None
    mask: Tensor | None
    masked: Posterior | None
    starts_from_noise: bool


@dataclass(frozen=True, eq=False)
class Beginning:
    """What one sample begins with, on the host.

    Attributes:
        latent: [C, h, w], what its first tick finds.
        noise: [draws, C, h, w]; draw 0 is the initial one.
        original, beside: see `Denoising`.
    """

    latent: Tensor
    noise: Tensor
    original: Original | None
    beside: Tensor | None


class Conditioner:
    """Reads pictures for one model.

    A UNet with inputs for mask and masked picture (9 channels instead of 4) always inpaints:
    without a mask everything, without a picture from grey.
    """

    def __init__(self, autoencoder: Autoencoder, unet_channels: int, device: Device) -> None:
        self._autoencoder = autoencoder
        self._sees_masks = unet_channels > autoencoder.channels
        self._device = device

    def read(self, pictures: Pictures, width: int, height: int, strength: float) -> Conditions:
        """Encode what the job's samples will need of its pictures."""
        mask = pictures.mask
        if self._sees_masks and mask is None:
            mask = np.ones((height, width), dtype=np.bool_)
        grey = torch.zeros(3, height, width)
        pixels = grey if pictures.image is None else _signed(pictures.image)
        from_noise = pictures.image is None or (mask is not None and strength == 1.0)
        unread = pictures.image is None or (self._sees_masks and from_noise)
        masked = None
        if self._sees_masks:
            assert mask is not None
            masked = self._autoencoder.encode(pixels * torch.from_numpy(~mask))
        return Conditions(
            image=None if unread else self._autoencoder.encode(pixels),
            mask=None if mask is None else self._shrunk(mask),
            masked=masked,
            starts_from_noise=from_noise,
        )

    def begin(
        self,
        conditions: Conditions,
        table: SamplerTable,
        seed: int,
        shape: tuple[int, ...],
        enlarged: Tensor | None,
    ) -> Beginning:
        """What the sample of this seed begins with; `shape` is its latent's.

        One generator gives all its noise, in the order in which diffusers' pipelines draw: for
        the picture's latents, for the start, for the masked picture's, for the steps. A second
        pass starts from the `enlarged` latent of the first.
        """
        extra = (conditions.image is not None) + (conditions.mask is not None)
        drawn = iter(draw_noise(seed, shape, table.draws + extra))
        picture = conditions.image.sample(next(drawn)) if conditions.image else None
        initial = next(drawn)
        beside = original = None
        if conditions.mask is not None:
            for_masked = next(drawn)
            if conditions.masked:
                masked = conditions.masked.sample(for_masked)
                both = torch.cat([conditions.mask, masked])
                beside = self._device.staged(both.to(self._device.dtype))
            else:
                assert picture is not None
                original = Original(
                    latent=self._device.staged(picture),
                    mask=self._device.staged(conditions.mask),
                    levels=self._device.staged(_levels_after(table)),
                )
        clean = picture if enlarged is None else enlarged
        if clean is None or (enlarged is None and conditions.starts_from_noise):
            latent = initial * table.initial_scale
        else:
            kept, added = table.noising[0]
            latent = kept * clean + added * initial
        return Beginning(latent, torch.stack([initial, *drawn]), original, beside)

    def control_pictures(
        self, controls: Sequence[Control], pictures: Sequence[NDArray[np.uint8]], ticks: int
    ) -> tuple[ControlPicture, ...]:
        """The request's controls, with their share of so many ticks."""
        return tuple(
            ControlPicture(
                type=control.type,
                pixels=self._device.staged(_unsigned(pixels).to(self._device.dtype)),
                scale=control.scale,
                active=tuple(
                    tick / ticks >= control.start and (tick + 1) / ticks <= control.end
                    for tick in range(ticks)
                ),
            )
            for control, pixels in zip(controls, pictures, strict=True)
        )

    def _shrunk(self, mask: NDArray[np.bool_]) -> Tensor:
        """One pixel of each latent's block, as diffusers takes it."""
        step = self._autoencoder.scale_factor
        return torch.from_numpy(mask[None, ::step, ::step]).float()


def _unsigned(pixels: NDArray[np.uint8]) -> Tensor:
    """[3, H, W] between 0 and 1."""
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255


def _signed(pixels: NDArray[np.uint8]) -> Tensor:
    """[3, H, W] between -1 and 1, as a VAE knows pictures."""
    return 2 * _unsigned(pixels) - 1


def _levels_after(table: SamplerTable) -> Tensor:
    """[ticks, 2]: how noisy the kept part is after each tick; clean after the last."""
    return torch.cat([table.noising[1:], torch.tensor([[1.0, 0.0]])])
