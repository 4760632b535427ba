"""A resident model: what a job thread needs of it, from the prompt to the pixels."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import diffusers
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared.catalog import ModelEntry
from shared.checkpoint import Checkpoint
from shared.request import PRIORITIES, GenerationRequest, Output, Priority
from worker.engine.engine import Engine
from worker.engine.sample import BatchKey, Kind, Sample
from worker.models.conditioning import Conditioner
from worker.models.control import ControlNets
from worker.models.denoising import begin
from worker.models.device import Device, DeviceSettings
from worker.models.guidance import embed_guidance
from worker.models.image import Autoencoder, Decoding
from worker.models.lora import Loras, lora_set
from worker.models.passes import Pass, first_pass, second_pass
from worker.models.pictures import NO_PICTURES, Pictures
from worker.models.preview import fit_preview_map
from worker.models.readiness import Readiness
from worker.models.snapshot import restore
from worker.models.stepper import DiffusionStepper
from worker.models.text import TextEncoder
from worker.models.viewer import Viewer
from worker.models.warm_up import WarmUp
from worker.models.wording import Note, Wording, encode_wording
from worker.samplers.tables import SamplerTable, SamplerTables

# Contexts of up to so many chunks share batches.
SHARED_CHUNKS = 8

# To be raised whenever the same request would tick otherwise: with it old checkpoints are void.
CHECKPOINT_VERSION = "1"


class ResidentModel:
    """A loaded model. Job threads call `prepare` and `decode`; the engine drives `stepper`."""

    def __init__(
        self,
        entry: ModelEntry,
        device: Device,
        settings: DeviceSettings,
        unet: Any,
        text: TextEncoder,
        autoencoder: Autoencoder,
        controls: ControlNets,
        loras: Loras,
        scheduler_config: Mapping[str, Any],
        weight_bytes: int,
        identity: str,
    ) -> None:
        """`identity` names the weights, whatever they are called on this machine."""
        self._identity = identity
        self.entry = entry
        self.weight_bytes = weight_bytes
        self.stepper = DiffusionStepper(
            unet, controls, loras.unet, device, autoencoder.scale_factor
        )
        self.text = text
        self._loras = loras
        self._autoencoder = autoencoder
        self._conditioner = Conditioner(autoencoder, unet.config.in_channels, device)
        self.unet = unet
        self._device = device
        self._tables = SamplerTables(scheduler_config)
        self.readiness = Readiness(
            unet,
            self.stepper,
            autoencoder,
            device,
            settings,
            self._default_request(),
            lambda request: self.prepare("warm-up", request, 0, Kind.ORDINARY)[0][0],
        )

    @property
    def cell_pixels(self) -> int:
        """How many pixels of a picture one place of the latent stands for."""
        return self._autoencoder.scale_factor**2

    def close(self) -> None:
        """End the model's threads, after what they have begun."""
        self.text.close()
        self._autoencoder.close()

    def prepare(
        self,
        job_id: str,
        request: GenerationRequest,
        sequence: int,
        kind: Kind,
        skip: frozenset[int] = frozenset(),
        pictures: Pictures = NO_PICTURES,
        viewer: Viewer | None = None,
    ) -> tuple[list[Sample], list[Note]]:
        """The samples of the job's first pass, and what the client should know.

        `skip` holds the indexes of pictures that are done; `pictures` are the request's, at its
        width and height. Everything is drawn and encoded here, in the calling thread or in the
        text and image threads; the engine's is not held up.
        """
        indexes = [index for index in range(request.num_images) if index not in skip]
        return self._prepare(
            job_id,
            request,
            sequence,
            kind,
            indexes,
            first_pass(request),
            pictures,
            self._later_ticks(request),
            viewer,
        )

    def prepare_second(
        self, first: Sample, request: GenerationRequest, pictures: Pictures
    ) -> Sample:
        """The sample that goes on, larger, where a finished one of the first pass ends.

        `pictures` are the request's, at the size of the finished picture. Raises what ended the
        first sample, if it was not its last tick.
        """
        _, height, width = self._latent_shape(second_pass(request))
        enlarged = self._autoencoder.enlarge(first.finished.result(), height, width)
        return self._prepare_second(first, request, pictures, enlarged)

    def prepare_again(
        self, failed: Sample, request: GenerationRequest, pictures: Pictures
    ) -> Sample | None:
        """The failed sample's image from its beginning, in full precision.

        None where full precision is what failed. `pictures` as in `prepare`.
        """
        if failed.key.full_precision or self._device.dtype == torch.float32:
            return None
        (again,), _ = self._prepare(
            failed.job_id,
            request,
            failed.sequence,
            failed.key.kind,
            [failed.index],
            first_pass(request),
            pictures,
            self._later_ticks(request),
            failed.state.viewer,
            full_precision=True,
        )
        return again

    def resume(
        self, first: Sample, request: GenerationRequest, checkpoint: Checkpoint, pictures: Pictures
    ) -> Sample | None:
        """The sample that goes on where the checkpoint was taken, or None where that is not its.

        `first` is the image's sample of the first pass, not submitted; `pictures` as in
        `prepare_second`.
        """
        if checkpoint.fits != self.fits(request):
            return None
        sample = first
        if checkpoint.second_pass:
            # Its start is overwritten at once.
            start = torch.zeros(self._latent_shape(second_pass(request)))
            sample = self._prepare_second(first, request, pictures, start)
        return sample if restore(sample, checkpoint, self._device) else None

    def fits(self, request: GenerationRequest) -> str:
        """What a checkpoint of this request must say to be resumed here."""
        facts = [CHECKPOINT_VERSION, diffusers.__version__, self._identity, str(self._device.dtype)]
        if self.readiness.float8:
            facts.append("float8")
        if request.reproducible:
            facts += [str(torch.__version__), self._device.name]
        return sha256("\n".join([*facts, request.model_dump_json()]).encode()).hexdigest()

    def _prepare_second(
        self, first: Sample, request: GenerationRequest, pictures: Pictures, enlarged: Tensor
    ) -> Sample:
        (second,), _ = self._prepare(
            first.job_id,
            request,
            first.sequence,
            first.key.kind,
            [first.index],
            second_pass(request),
            pictures,
            later_ticks=0,
            viewer=first.state.viewer,
            enlarged=enlarged,
            full_precision=first.key.full_precision,
        )
        second.earlier_ticks = first.ticks
        return second

    def decode(self, latent: Tensor, decoding: Decoding = Decoding.WHOLE) -> NDArray[np.uint8]:
        """The picture of a sample's result: height x width x 3.

        Raises GenerationInvalid where it is not finite, or the same value everywhere.
        """
        return self._autoencoder.decode(latent, decoding)

    def warm_up(self, engine: Engine) -> WarmUp:
        """Time the model, set what depends on it, and make one picture through the engine.

        To be called once, before the model takes work.
        """
        return self.readiness.warm_up(engine, self.fit_previews())

    @contextmanager
    def held(self) -> Iterator[None]:
        """The model's own device threads do nothing while the block runs."""
        with self.text.held(), self._autoencoder.held():
            yield

    def fit_previews(self) -> float:
        """Make previews possible, once and before one is asked for; the fit's R squared."""
        self.stepper.tap.map = fit_preview_map(self._autoencoder, self._device)
        return self.stepper.tap.map.explained

    def _prepare(
        self,
        job_id: str,
        request: GenerationRequest,
        sequence: int,
        kind: Kind,
        indexes: Sequence[int],
        of_pass: Pass,
        pictures: Pictures,
        later_ticks: int,
        viewer: Viewer | None,
        enlarged: Tensor | None = None,
        full_precision: bool = False,
    ) -> tuple[list[Sample], list[Note]]:
        table = self._table(request, of_pass)
        loras = lora_set(request.loras)
        # A UNet that is told its guidance needs no unconditional row.
        embedding = self._guidance_embedding(request)
        unguided = request.model_copy(update={"guidance_scale": 1.0})
        wording = encode_wording(self.text, request if embedding is None else unguided, loras)
        shape = self._latent_shape(of_pass)
        key = BatchKey(
            self.entry.id, shape, kind, _context_chunks(kind, wording), loras, full_precision
        )
        conditions = self._conditioner.read(
            pictures, of_pass.width, of_pass.height, of_pass.strength
        )
        controls = self._conditioner.control_pictures(
            request.controls, pictures.controls, table.ticks
        )
        samples = []
        for index in indexes:
            beginning = self._conditioner.begin(
                conditions, table, request.image_seed(index), shape, enlarged
            )
            state = begin(
                table,
                beginning.latent,
                beginning.noise,
                wording.context,
                wording.negative,
                request.guidance_scale,
                self._device,
                original=beginning.original,
                beside=beginning.beside,
                controls=controls,
                guidance_rescale=request.guidance_rescale,
                guidance_embedding=embedding,
                viewer=viewer,
            )
            samples.append(
                Sample(
                    job_id=job_id,
                    index=index,
                    key=key,
                    rows=1 if wording.negative is None else 2,
                    ticks=table.ticks,
                    later_ticks=later_ticks,
                    priority=PRIORITIES.index(request.priority),
                    sequence=sequence,
                    state=state,
                )
            )
        return samples, [*wording.notes, *self._loras.notes(loras)]

    def _guidance_embedding(self, request: GenerationRequest) -> Tensor | None:
        width: int | None = self.unet.config.time_cond_proj_dim
        if width is None:
            return None
        return embed_guidance(request.guidance_scale, width).to(self._device.dtype)

    def _table(self, request: GenerationRequest, of_pass: Pass) -> SamplerTable:
        start = of_pass.start_tick(request.sampler)
        return self._tables.get(
            request.sampler, request.schedule, of_pass.steps, start, eta=request.eta
        )

    def _later_ticks(self, request: GenerationRequest) -> int:
        return self._table(request, second_pass(request)).ticks if request.hires else 0

    def _latent_shape(self, of_pass: Pass) -> tuple[int, int, int]:
        factor = self._autoencoder.scale_factor
        return (self._autoencoder.channels, of_pass.height // factor, of_pass.width // factor)

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
