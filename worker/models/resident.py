"""A resident model: what a job thread needs of it, from the prompt to the pixels."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from shared.catalog import ModelEntry
from shared.request import PRIORITIES, GenerationRequest, Output, Priority
from worker.engine.engine import Engine
from worker.engine.sample import BatchKey, Kind, Sample
from worker.models.attention import choose_attention
from worker.models.denoising import from_noise
from worker.models.device import Attention, Device
from worker.models.image import ImageDecoder
from worker.models.stepper import DiffusionStepper
from worker.models.text import TextEncoder
from worker.models.warm_up import WarmUp, find_knee, measure_ticks
from worker.models.wording import Note, Wording, encode_wording
from worker.samplers.noise import draw_noise
from worker.samplers.tables import SamplerTables

# Contexts of up to so many chunks share batches.
SHARED_CHUNKS = 8


class ResidentModel:
    """A loaded model. Job threads call `prepare` and `decode`; the engine drives `stepper`."""

    def __init__(
        self,
        entry: ModelEntry,
        device: Device,
        attention: Attention,
        unet: Any,
        text: TextEncoder,
        image: ImageDecoder,
        scheduler_config: Mapping[str, Any],
    ) -> None:
        self.entry = entry
        self.stepper = DiffusionStepper(unet, device, image.scale_factor)
        self.text = text
        self._image = image
        self._unet = unet
        self._device = device
        self._attention = attention
        self._tables = SamplerTables(scheduler_config)

    def close(self) -> None:
        """End the model's threads, after what they have begun."""
        self.text.close()
        self._image.close()

    def prepare(
        self,
        job_id: str,
        request: GenerationRequest,
        sequence: int,
        kind: Kind,
        skip: frozenset[int] = frozenset(),
    ) -> tuple[list[Sample], list[Note]]:
        """The job's samples, ready for the engine, and what the client should know.

        `skip` holds the indexes of pictures that are done. Everything is drawn and encoded here,
        in the calling thread or in the text thread; the engine's is not held up.
        """
        table = self._tables.get(request.sampler, request.schedule, request.steps, eta=request.eta)
        wording = encode_wording(self.text, request)
        shape = self._latent_shape(request.width, request.height)
        key = BatchKey(self.entry.id, shape, kind, _context_chunks(kind, wording))
        samples = [
            Sample(
                job_id=job_id,
                index=index,
                key=key,
                rows=request.rows,
                ticks=table.ticks,
                priority=PRIORITIES.index(request.priority),
                sequence=sequence,
                state=from_noise(
                    table,
                    draw_noise(request.image_seed(index), shape, table.draws),
                    wording.context,
                    wording.negative,
                    request.guidance_scale,
                    self._device,
                ),
            )
            for index in range(request.num_images)
            if index not in skip
        ]
        return samples, list(wording.notes)

    def decode(self, latent: Tensor) -> NDArray[np.uint8]:
        """The picture of a sample's result: height x width x 3.

        Raises GenerationInvalid where it is not finite.
        """
        return self._image.decode(latent)

    def warm_up(self, engine: Engine) -> WarmUp:
        """Time the model, set what depends on it, and make one picture through the engine.

        To be called once, before the model takes work and while the engine steps no other.
        """
        request = self._default_request()
        attention = choose_attention(
            self._unet, self._device, self._attention, lambda: self._time_tick(request, 2)
        )
        tick_seconds = measure_ticks(lambda rows: self._time_tick(request, rows))
        self.stepper.max_rows = find_knee(tick_seconds)
        began = time.perf_counter()
        samples, _ = self.prepare("warm-up", request, sequence=0, kind=Kind.ORDINARY)
        engine.submit(samples)
        for sample in samples:
            self.decode(sample.finished.result())
        image_seconds = time.perf_counter() - began
        return WarmUp(attention, self.stepper.max_rows, tick_seconds, image_seconds)

    def _latent_shape(self, width: int, height: int) -> tuple[int, int, int]:
        factor = self._image.scale_factor
        return (int(self._unet.config.in_channels), height // factor, width // factor)

    def _time_tick(self, request: GenerationRequest, rows: int) -> float:
        unguided = request.model_copy(update={"guidance_scale": 1.0})
        (sample,), _ = self.prepare("warm-up", unguided, sequence=0, kind=Kind.ORDINARY)
        self.stepper.admit(sample)
        return self.stepper.launch([sample] * rows).wait().seconds

    def _default_request(self) -> GenerationRequest:
        return GenerationRequest(
            model=self.entry.id,
            prompt="",
            **self.entry.defaults.model_dump(),
            num_images=1,
            eta=0.0,
            seed=0,
            output=Output(),
            priority=Priority.HIGH,
            deadline_seconds=None,
            reproducible=False,
            metadata={},
        )


def _context_chunks(kind: Kind, wording: Wording) -> tuple[int, ...]:
    """What the key must say of the contexts' lengths.

    Very long ones keep to themselves: everybody else's would be repeated up to their length.
    """
    longest = max(wording.chunks)
    if kind is Kind.REPRODUCIBLE:
        return wording.chunks
    return (longest,) if longest > SHARED_CHUNKS else ()
