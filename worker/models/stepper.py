"""Steps latents through a UNet: one batched model call and one batched update a tick."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from worker.engine.rows import ROW_BUCKETS, padded_rows
from worker.engine.sample import Sample
from worker.engine.stepper import Tick
from worker.models.denoising import Denoising
from worker.models.device import Device, translated_device_errors
from worker.models.text import stack_contexts
from worker.models.ticks import begin_tick
from worker.samplers.tables import COLUMNS, PLANES
from worker.samplers.update import advance, guide


class DiffusionStepper:
    """A UNet of the Stable Diffusion kind. Driven by one thread at a time."""

    def __init__(self, unet: Any, device: Device) -> None:
        self._unet = unet
        self._device = device
        # Warm-up lowers it to what is worth it.
        self.max_rows = ROW_BUCKETS[-1]

    def admit(self, sample: Sample) -> None:
        """Bring the sample's tensors to the device."""
        state: Denoising = sample.state
        with translated_device_errors():
            state.move(self._device)

    def launch(self, samples: Sequence[Sample]) -> Tick:
        """Begin step `sample.tick` of each sample."""
        with torch.inference_mode(), translated_device_errors():
            return self._launch(samples)

    def result(self, sample: Sample) -> Tensor:
        """The final latent: [C, H, W] float32, on the device."""
        state: Denoising = sample.state
        return state.planes[0]

    def _launch(self, samples: Sequence[Sample]) -> Tick:
        tick = begin_tick(self._device)
        # Guided samples first, so that guidance is a matter of slices.
        samples = sorted(samples, key=lambda sample: -sample.rows)
        states: list[Denoising] = [sample.state for sample in samples]
        negatives = [state.negative for state in states if state.negative is not None]
        guided = len(negatives)
        rows = padded_rows(len(samples) + guided, samples[0].key.kind)

        planes = torch.stack([state.planes for state in states])
        noise = torch.stack(
            [
                state.noise[state.noise_index[sample.tick]]
                for sample, state in zip(samples, states, strict=True)
            ]
        )
        lines = torch.stack(
            [state.lines[sample.tick] for sample, state in zip(samples, states, strict=True)]
        )
        guidance, timesteps, scales = lines[:, :3].unbind(1)
        matrices = lines[:, 3:].view(-1, PLANES, COLUMNS)

        latents = planes[:, 0] * scales.view(-1, 1, 1, 1)
        contexts, mask = stack_contexts([*(state.context for state in states), *negatives])
        output = self._unet(
            _fill(torch.cat([latents, latents[:guided]]).to(self._device.dtype), rows),
            _fill(torch.cat([timesteps, timesteps[:guided]]), rows),
            encoder_hidden_states=_fill(contexts, rows),
            encoder_attention_mask=None if mask is None else _fill(mask, rows),
            return_dict=False,
        )[0]
        output = output[: len(samples) + guided].float()
        prediction = guide(output, guided, guidance[:guided])
        planes = advance(planes, prediction, noise, matrices)

        finite = planes.isfinite().flatten(1).all(1)
        for state, advanced in zip(states, planes, strict=True):
            state.planes = advanced
        tick.launched(samples, rows, finite)
        return tick


def _fill(tensor: Tensor, rows: int) -> Tensor:
    """Rows of zeros at the end, up to `rows`."""
    return pad(tensor, (0, 0) * (tensor.dim() - 1) + (0, rows - tensor.shape[0]))
