"""Pictures to latents and back: the VAE, on a thread of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from shared.errors import GenerationInvalid
from worker.models.device import Device, DeviceThread
from worker.models.precision import in_full_precision


@dataclass(frozen=True, eq=False)
class Posterior:
    """What the encoder says of a picture: a normal distribution, [C, h, w] float32 on the host."""

    mean: Tensor
    deviation: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """The latent that this standard normal noise picks."""
        return self.mean + self.deviation * noise


class Decoding(StrEnum):
    """How a latent becomes a picture."""

    WHOLE = "whole"
    TILED = "tiled"  # in less memory
    FULL_PRECISION = "full precision"  # where the model's own type overflows


class Autoencoder:
    """A VAE. One picture at a time: more in a batch would change their bits.

    To be called from any thread but its own.
    """

    def __init__(self, vae: Any, device: Device) -> None:
        self._vae = vae
        self._thread = DeviceThread("image", device)

    @property
    def scale_factor(self) -> int:
        """How many pixels of a side one latent stands for."""
        return int(2 ** (len(self._vae.config.block_out_channels) - 1))

    @property
    def channels(self) -> int:
        """Of a latent."""
        return int(self._vae.config.latent_channels)

    def encode(self, picture: Tensor) -> Posterior:
        """The latents of a [3, H, W] float32 picture between -1 and 1, in the sampler's scale."""
        return self._thread.call(self._encode, picture)

    def enlarge(self, latent: Tensor, height: int, width: int) -> Tensor:
        """A [C, h, w] latent brought to another size, on the host."""
        return self._thread.call(self._enlarge, latent, height, width)

    def decode(self, latent: Tensor, decoding: Decoding = Decoding.WHOLE) -> NDArray[np.uint8]:
        """The picture of a [C, h, w] latent: height x width x 3.

        Raises GenerationInvalid where the picture is not finite, or the same value everywhere.
        """
        return self._thread.call(self._decode, latent, decoding)

    def close(self) -> None:
        """End the thread."""
        self._thread.close()

    def _encode(self, picture: Tensor) -> Posterior:
        pixels = picture[None].to(self._vae.device, self._vae.dtype)
        found = self._vae.encode(pixels).latent_dist
        scale = self._vae.config.scaling_factor
        return Posterior(
            mean=found.mean[0].float().cpu() * scale,
            deviation=found.std[0].float().cpu() * scale,
        )

    def _enlarge(self, latent: Tensor, height: int, width: int) -> Tensor:
        enlarged = interpolate(latent[None], (height, width), mode="bilinear", antialias=True)
        return enlarged[0].cpu()

    def _decode(self, latent: Tensor, decoding: Decoding) -> NDArray[np.uint8]:
        scaled = latent[None] / self._vae.config.scaling_factor
        with self._made_ready(latent, decoding):
            picture = self._vae.decode(scaled.to(self._vae.dtype)).sample[0].float()
        if not torch.isfinite(picture).all():
            raise GenerationInvalid("the picture is not finite")
        # Before it is clamped: what a prompt for black gives still varies below zero.
        if picture.amax() == picture.amin():
            raise GenerationInvalid("the picture has one value everywhere")
        return as_pixels(picture)

    @contextmanager
    def _made_ready(self, latent: Tensor, decoding: Decoding) -> Iterator[None]:
        vae = self._vae
        usual = vae.tile_latent_min_size, vae.tile_sample_min_size
        lifted = [vae] if decoding is Decoding.FULL_PRECISION else []
        if decoding is Decoding.TILED:  # of half the longer side; their seams are blended
            side = max(latent.shape[1:]) // 2
            vae.tile_latent_min_size, vae.tile_sample_min_size = side, side * self.scale_factor
            vae.enable_tiling()
        try:
            with in_full_precision(lifted, vae.dtype):
                yield
        finally:
            vae.disable_tiling()
            vae.tile_latent_min_size, vae.tile_sample_min_size = usual


def as_pixels(picture: Tensor) -> NDArray[np.uint8]:
    """A decoder's float32 [3, H, W] output, nominally -1 to 1, as height x width x 3 on the host.

    Overwrites `picture`. Rounds as diffusers' image processor does, to the last bit.
    """
    scaled = picture.div_(2).add_(0.5).clamp_(0, 1).mul_(255).round_()
    # Bytes before they are moved: a quarter of the traffic.
    image: NDArray[np.uint8] = scaled.to(torch.uint8).permute(1, 2, 0).contiguous().cpu().numpy()
    return image
