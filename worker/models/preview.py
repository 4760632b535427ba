"""From latents to small pictures: a linear map, fitted once a model on shipped pictures."""

from dataclasses import dataclass
from importlib import resources

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import avg_pool2d

from worker.models.device import Device
from worker.models.image import Autoencoder

SHEET = "preview_pictures.webp"  # photographs and drawings; models/ATTRIBUTION.md says whose
TILE = 128  # pixels of a side
SHRINK = 2  # the fit is as good on pictures of half that size, and done in half the time


@dataclass(frozen=True, eq=False)
class PreviewMap:
    """Each place of a latent becomes one pixel.

    Attributes:
        weights: [3, C] float32, red, green and blue of each channel, on the device.
        bias: [3] float32, what an empty latent shows.
        explained: R squared of the fit: 1 is a map that misses nothing.
    """

    weights: Tensor
    bias: Tensor
    explained: float

    def pixels(self, latents: Tensor) -> Tensor:
        """[S, h, w, 3] uint8 of clean latents [S, C, h, w] float32, both on the device."""
        colours = latents.permute(0, 2, 3, 1) @ self.weights.T + self.bias
        # What is not finite would be any colour; its sample fails some ticks later.
        return colours.nan_to_num().clamp(0, 1).mul(255).round().to(torch.uint8)


def fit_preview_map(autoencoder: Autoencoder, device: Device) -> PreviewMap:
    """Least squares from the encodings of the shipped pictures to their colours."""
    pictures = _pictures()
    encoded = autoencoder.encode(pictures * 2 - 1).mean
    colours = avg_pool2d(pictures, autoencoder.scale_factor)
    channels = encoded.permute(0, 2, 3, 1).flatten(0, 2).double()
    wanted = colours.permute(0, 2, 3, 1).flatten(0, 2).double()
    known = torch.cat([channels, torch.ones(len(channels), 1, dtype=torch.float64)], dim=1)
    solution = torch.linalg.lstsq(known, wanted).solution
    missed = (wanted - known @ solution).square().sum()
    spread = (wanted - wanted.mean(0)).square().sum()
    return PreviewMap(
        weights=solution[:-1].T.float().contiguous().to(device.place),
        bias=solution[-1].float().to(device.place),
        explained=float(1 - missed / spread),
    )


def _pictures() -> Tensor:
    """[pictures, 3, side, side] float32 between 0 and 1."""
    with resources.files(__package__).joinpath(SHEET).open("rb") as file:
        sheet = torch.from_numpy(np.array(Image.open(file)))
    tiles = sheet.unfold(0, TILE, TILE).unfold(1, TILE, TILE)  # [down, across, 3, TILE, TILE]
    return avg_pool2d(tiles.flatten(0, 1).float() / 255, SHRINK)
