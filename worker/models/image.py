"""Pictures to latents and back: the VAE, on a thread of its own."""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from shared.errors import GenerationInvalid
from worker.models.compiling import forbid_recompiling
from worker.models.device import Device, DeviceThread
from worker.models.forms import Form
from worker.models.precision import in_full_precision


@dataclass(frozen=True, eq=False)
class Posterior:
    """What the encoder says of a picture: a normal distribution, float32 on the host.

    [..., C, h, w] of pictures [..., 3, H, W].
    """

    mean: Tensor
    deviation: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """The latent that this standard normal noise picks."""
        return self.mean + self.deviation * noise


class Decoding(StrEnum):
    """How a latent becomes a picture."""

    WHOLE = "whole"
    FAST = "fast"  # by a form where there is one for the size: the bits depend on whether there is
    TILED = "tiled"  # in less memory
    FULL_PRECISION = "full precision"  # where the model's own type overflows


class Autoencoder:
    """A VAE. One picture at a time: more in a batch would change their bits.

    To be called from any thread but its own.
    """

    def __init__(self, vae: Any, device: Device) -> None:
        self.vae = vae
        self._device = device
        self._thread = DeviceThread("image", device)
        self._form: Form | None = None

    @property
    def scale_factor(self) -> int:
        """How many pixels of a side one latent stands for."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def channels(self) -> int:
        """Of a latent."""
        return int(self.vae.config.latent_channels)

    def adopt(self, form: Form) -> None:
        """Decode by this form what fits it, from now on."""

        def swap() -> None:
            forbid_recompiling()
            self._form = form

        self._thread.call(swap)

    def held(self) -> AbstractContextManager[None]:
        """The thread does nothing while the block runs."""
        return self._thread.held()

    def encode(self, picture: Tensor) -> Posterior:
        """The latents of [..., 3, H, W] float32 between -1 and 1, in the sampler's scale."""
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
        *places, channels, height, width = picture.shape
        pixels = picture.reshape(-1, channels, height, width)
        found = self.vae.encode(pixels.to(self.vae.device, self.vae.dtype)).latent_dist

        def scaled(latents: Tensor) -> Tensor:
            found = latents.float().cpu() * float(self.vae.config.scaling_factor)
            return found.reshape(*places, *latents.shape[1:])

        return Posterior(mean=scaled(found.mean), deviation=scaled(found.std))

    def _enlarge(self, latent: Tensor, height: int, width: int) -> Tensor:
        enlarged = interpolate(latent[None], (height, width), mode="bilinear", antialias=True)
        return enlarged[0].cpu()

    def _decode(self, latent: Tensor, decoding: Decoding) -> NDArray[np.uint8]:
        with self._made_ready(latent, decoding):
            scaled = (latent[None] / self.vae.config.scaling_factor).to(self.vae.dtype)
            if decoding is Decoding.FAST and self._form is not None and self._form.fits(scaled):
                picture = self._form(scaled)[0].float()
            else:
                picture = self.vae.decode(scaled).sample[0].float()
        # Before it is clamped: what a prompt for black gives still varies below zero.
        ends = self._device.fetched(torch.stack(picture.aminmax()))
        # Bytes before they are moved: a quarter of the traffic.
        pixels = self._device.fetched(as_pixels(picture))
        self._device.wait()
        least, most = ends.tolist()
        if not math.isfinite(most - least):  # NaN anywhere is both
            raise GenerationInvalid("the picture is not finite")
        if least == most:
            raise GenerationInvalid("the picture has one value everywhere")
        image: NDArray[np.uint8] = pixels.numpy()
        return image

    @contextmanager
    def _made_ready(self, latent: Tensor, decoding: Decoding) -> Iterator[None]:
        vae = self.vae
        usual = vae.tile_latent_min_size, vae.tile_sample_min_size
        lifted = [vae] if decoding is Decoding.FULL_PRECISION else []
        if decoding is Decoding.TILED:  # of half the longer side; their seams are blended
            side = max(latent.shape[1:]) // 2
            vae.tile_latent_min_size, vae.tile_sample_min_size = side, side * self.scale_factor
            vae.enable_tiling()
        try:
            with in_full_precision(lifted):
                yield
        finally:
            vae.disable_tiling()
            vae.tile_latent_min_size, vae.tile_sample_min_size = usual


def as_pixels(picture: Tensor) -> Tensor:
    """A decoder's float32 [3, H, W] output, nominally -1 to 1, as bytes, height x width x 3.

    Overwrites `picture`. Rounds as diffusers' image processor does, to the last bit.
    """
    scaled = picture.div_(2).add_(0.5).clamp_(0, 1).mul_(255).round_()
    return scaled.to(torch.uint8).permute(1, 2, 0).contiguous()
