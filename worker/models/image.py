"""Latents to pictures: the VAE, on a thread of its own."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared.errors import GenerationInvalid
from worker.models.device import Device, DeviceThread


class ImageDecoder:
    """A VAE's decoder. One picture at a time: more in a batch would change their bits."""

    def __init__(self, vae: Any, device: Device) -> None:
        self._vae = vae
        self._device = device
        self._thread = DeviceThread("image", device)

    @property
    def scale_factor(self) -> int:
        """How many pixels of a side one latent stands for."""
        return int(2 ** (len(self._vae.config.block_out_channels) - 1))

    def decode(self, latent: Tensor) -> NDArray[np.uint8]:
        """The picture of a [C, H, W] latent: height x width x 3. From any thread but its own.

        Raises GenerationInvalid where the picture is not finite.
        """
        return self._thread.call(self._decode, latent)

    def close(self) -> None:
        """End the thread."""
        self._thread.close()

    def _decode(self, latent: Tensor) -> NDArray[np.uint8]:
        scaled = latent[None] / self._vae.config.scaling_factor
        picture = self._vae.decode(scaled.to(self._device.dtype)).sample[0].float()
        if not torch.isfinite(picture).all():
            raise GenerationInvalid("the picture is not finite")
        pixels = (picture / 2 + 0.5).clamp(0, 1).mul(255).round().to(torch.uint8)
        image: NDArray[np.uint8] = pixels.permute(1, 2, 0).contiguous().cpu().numpy()
        return image
