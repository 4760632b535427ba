"""Inpainting with an ordinary UNet: after each tick the kept part is put back, noised anew."""

from collections.abc import Sequence

import torch
from torch import Tensor

from worker.engine.sample import Sample
from worker.models.device import Device


class KeptParts:
    """Those samples of a company that keep part of a picture; the others are not touched."""

    def __init__(self, samples: Sequence[Sample], device: Device) -> None:
        """`samples` are the whole company, in its order; at least one of them keeps something."""
        places = [i for i, sample in enumerate(samples) if sample.state.original]
        self._samples = [samples[i] for i in places]
        originals = [sample.state.original for sample in self._samples]
        self._places = device.indexes(places)
        self._latents = torch.stack([original.latent for original in originals])
        self._masks = torch.stack([original.mask for original in originals])
        self._noise = torch.stack([sample.state.noise[0] for sample in self._samples])

    def put_back(self, planes: Tensor) -> None:
        """Change the latents in `planes` [S, 1 + r, C, H, W] to what the ended tick leaves."""
        levels = torch.stack(
            [sample.state.original.levels[sample.tick] for sample in self._samples]
        )
        clean, added = levels.view(-1, 2, 1, 1, 1).unbind(1)
        kept = clean * self._latents + added * self._noise
        made = planes[:, 0].index_select(0, self._places)
        planes[:, 0].index_copy_(0, self._places, (1 - self._masks) * kept + self._masks * made)
