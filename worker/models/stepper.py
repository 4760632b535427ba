"""Steps latents through a UNet: one batched model call and one batched update a tick."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from worker.engine.rows import ROW_BUCKETS
from worker.engine.sample import Kind, Sample
from worker.engine.stepper import Tick
from worker.models.adapters import Adapters
from worker.models.company import Company
from worker.models.control import ControlNets
from worker.models.denoising import Denoising
from worker.models.device import Device, in_inference_mode, translated_device_errors
from worker.models.forms import Form, UNetInput, UNetShape
from worker.models.precision import in_full_precision
from worker.models.snapshot import StateSnapshot, take_snapshot
from worker.models.tap import Tap
from worker.models.ticks import begin_tick
from worker.samplers.update import advance, guide, rescale


class DiffusionStepper:
    """A UNet of the Stable Diffusion kind. Driven by one thread at a time."""

    def __init__(
        self,
        unet: Any,
        controls: ControlNets,
        adapters: Adapters,
        device: Device,
        pixels_per_latent: int,
    ) -> None:
        """`controls` are the ControlNets by their type, `adapters` the UNet's LoRAs."""
        self._unet = unet
        self._controls = controls
        self._adapters = adapters
        self._device = device
        self._pixels_per_latent = pixels_per_latent
        self._company: Company | None = None
        self.tap = Tap(device)
        # What was built ahead; ticks without LoRAs, ControlNets and masks use it where it fits.
        self.forms: dict[UNetShape, Form] = {}
        # Warm-up lowers it to what is worth it.
        self.max_rows = ROW_BUCKETS[-1]

    def admit(self, sample: Sample) -> None:
        """Bring the sample's tensors to the device."""
        state: Denoising = sample.state
        with translated_device_errors():
            state.move(self._device)

    def launch(self, samples: Sequence[Sample]) -> Tick:
        """Begin step `sample.tick` of each sample."""
        with in_inference_mode(), translated_device_errors():
            return self._launch(samples)

    def snapshot(self, sample: Sample) -> StateSnapshot:
        """Begin to copy the sample's latent and registers."""
        with in_inference_mode(), translated_device_errors():
            return take_snapshot(sample, self._device)

    def result(self, sample: Sample) -> Tensor:
        """The final latent: [C, H, W] float32, on the device."""
        state: Denoising = sample.state
        return state.planes[0]

    def _launch(self, samples: Sequence[Sample]) -> Tick:
        tick = begin_tick(self._device)
        company = self._gather(samples)
        coming = company.course.coming()
        latents = company.planes.select(1, 0).index_select(0, company.sample_of_row)
        precise = samples[0].key.full_precision
        # Here and below: to ask for a conversion that changes nothing is not free.
        seen = latents * coming.input_scales
        if seen.dtype is not company.dtype:
            seen = seen.to(company.dtype)
        self._adapters.switch(samples[0].key.loras)
        control = company.control_batch(self._controls)
        reproducible = samples[0].key.kind is Kind.REPRODUCIBLE
        bare = not (control or samples[0].key.loras or company.mask is not None)
        given = _unet_input(company, seen, coming.timesteps)
        formed = bool(self.forms) and bare and not (reproducible or precise)
        form = self.forms.get(given.shape) if formed else None
        if form:
            output = form(*given.tensors())
        else:
            lifted = [self._unet, *self._controls.values()]
            with in_full_precision(lifted) if precise else nullcontext():
                residuals = (
                    control.residuals(seen, coming.timesteps, company.added) if control else {}
                )
                output = self._unet(
                    given.latents,
                    given.timesteps,
                    encoder_hidden_states=given.contexts,
                    encoder_attention_mask=company.mask,
                    timestep_cond=given.guidance_embeddings,
                    added_cond_kwargs=company.added,
                    # Bits must not depend on what was timed or built, and when.
                    cross_attention_kwargs={"usual": True} if reproducible or precise else None,
                    return_dict=False,
                    **residuals,
                )[0]
        if output.dtype is not torch.float32:
            output = output.float()
        conditional, negative = company.sides(output)
        prediction = guide(conditional, negative, coming.guidance)
        for i, factor in company.rescaled:
            prediction[i] = rescale(prediction[i], conditional[i], factor)
        self.tap.draw(samples, latents, prediction)
        planes = advance(company.planes, prediction, company.noise(), coming.matrices)

        company.advance(planes)
        # What is not finite in the model's output is in the latent at once, by every method; and
        # in a sum, which no latent that is finite takes beyond the range.
        sums = planes.select(1, 0).sum((1, 2, 3)) if coming.checked else None
        tick.launched(company.samples, company.rows, sums)
        return tick

    def example(self, samples: Sequence[Sample]) -> UNetInput:
        """What the UNet would read of these samples, but for the values. From any thread."""
        company = Company(samples, self._device, self._pixels_per_latent)
        latents = company.planes[:, 0].index_select(0, company.sample_of_row)
        timesteps = torch.ones(company.rows, device=self._device.place)
        return _unet_input(company, latents.to(company.dtype), timesteps)

    def _gather(self, samples: Sequence[Sample]) -> Company:
        if self._company is None or self._company.samples != tuple(samples):
            self._company = Company(samples, self._device, self._pixels_per_latent)
        return self._company


def _unet_input(company: Company, seen: Tensor, timesteps: Tensor) -> UNetInput:
    return UNetInput(
        latents=seen if company.beside is None else torch.cat([seen, company.beside], dim=1),
        timesteps=timesteps,
        contexts=company.contexts,
        guidance_embeddings=company.guidance_embeddings,
        added=company.added,
    )
