"""The tap: what a tick foresees for those samples that somebody looks at, in small, to the host."""

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from worker.engine.sample import Sample
from worker.models.device import Device
from worker.models.preview import PreviewMap
from worker.models.viewer import Viewer


class Tap:
    """Reads beside the step and changes nothing of it; samples that nobody looks at cost nothing.

    `map` comes with the model's warm-up.
    """

    def __init__(self, device: Device) -> None:
        self.map: PreviewMap | None = None
        self._device = device

    def draw(self, samples: Sequence[Sample], latents: Tensor, prediction: Tensor) -> None:
        """Show the viewers what the model has predicted.

        Args:
            samples: S of them, before `tick` is counted on.
            latents: [at least S, C, H, W], what the tick found, in the samples' order.
            prediction: [S, C, H, W], the model's guided output.
        """
        now = time.monotonic()
        seen = [
            place
            for place, sample in enumerate(samples)
            if sample.state.viewer is not None and sample.state.viewer.wants(sample, now)
        ]
        if not seen:
            return
        assert self.map is not None, "the model is warm"
        places = self._device.indexes(seen)
        weights = torch.stack([samples[i].state.clean[samples[i].tick] for i in seen])
        weights = self._device.staged(weights).to(self._device.place, non_blocking=True)
        of_latent, of_output = weights.view(-1, 2, 1, 1, 1).unbind(1)
        clean = of_latent * latents.index_select(0, places)
        clean += of_output * prediction.index_select(0, places)
        pixels, arrived = self._fetch(self.map.pixels(clean))

        by_viewer: defaultdict[Viewer, list[tuple[Sample, Tensor, Any]]] = defaultdict(list)
        for i, own in zip(seen, pixels.unbind(), strict=True):
            by_viewer[samples[i].state.viewer].append((samples[i], own, arrived))
        for viewer, views in by_viewer.items():
            viewer.show(now, views)

    def _fetch(self, pixels: Tensor) -> tuple[Tensor, Any]:
        """The pixels on the host, and the event that says when; nobody waits for it here."""
        if not self._device.is_cuda:
            return pixels, None
        host = torch.empty(pixels.shape, dtype=pixels.dtype, pin_memory=True)
        host.copy_(pixels, non_blocking=True)
        arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        arrived.record()
        return host, arrived
