"""The samples of a tick as one batch; kept for as long as the same samples tick together."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from worker.engine.rows import padded_rows
from worker.engine.sample import Sample
from worker.models.context import stack_contexts, stack_pooled
from worker.models.control import ControlBatch, ControlledRow, ControlNets
from worker.models.course import Course
from worker.models.denoising import Denoising
from worker.models.device import Device
from worker.models.kept_parts import KeptParts


class Company:
    """S samples, laid out in the model's rows.

    First the prompts' rows in the samples' order, then the negative prompts', then copies of the
    first row up to the row bucket.

    Attributes:
        samples: in their order.
        dtype: what the model computes in.
        rows: size of the model's batch.
        contexts: [rows, L, D], and `mask` [rows, L] or None: what the rows attend to.
        added: what SDXL's UNet takes besides, or None: each row's pooled prompt and sizes.
        sample_of_row: [rows], each row's sample.
        planes: [S, 1 + r, C, H, W], the samples' states; registers that one does not need are
            zero.
        beside: [rows, 1 + C, H, W], what the UNet sees beside the latents; None for most UNets.
        guidance_embeddings: [rows, width], for a UNet that is told its guidance; None for most.
        course: guidance, timesteps and sampler matrices of the coming ticks.
        rescaled: the samples whose guided output loses some of its spread, and how much of it.
    """

    def __init__(self, samples: Sequence[Sample], device: Device, pixels_per_latent: int) -> None:
        self.samples = tuple(samples)
        self._device = device
        self.dtype = torch.float32 if samples[0].key.full_precision else device.dtype
        self._states: list[Denoising] = [sample.state for sample in samples]
        guided = [i for i, state in enumerate(self._states) if state.negative is not None]
        taken = len(samples) + len(guided)
        self.rows = padded_rows(taken, samples[0].key.kind)
        filling = self.rows - taken

        self._sample_of_row = [*range(len(samples)), *guided, *[0] * filling]
        self.sample_of_row = device.indexes(self._sample_of_row)
        negative_row = list(range(len(samples)))
        for row, i in enumerate(guided, start=len(samples)):
            negative_row[i] = row
        # A view where it is one: each further operation after the model's call finds cold caches.
        all_guided = len(guided) == len(samples)
        self._negative_row = None if all_guided else device.indexes(negative_row)
        self.course = Course(samples, self.sample_of_row)

        prompts = [state.context for state in self._states]
        negatives = [state.negative for state in self._states if state.negative is not None]
        contexts = [*prompts, *negatives, *prompts[:1] * filling]
        stacked, self.mask = stack_contexts(contexts)
        self.contexts = stacked.to(self.dtype)
        pooled = stack_pooled(contexts)
        self.added: dict[str, Tensor] | None = None
        if pooled is not None:
            height, width = (pixels_per_latent * side for side in samples[0].key.latent_shape[1:])
            # The picture's size, where its crop begins, the size to be made: nothing is cropped.
            sizes = torch.tensor([height, width, 0, 0, height, width], dtype=pooled.dtype)
            there = device.staged(sizes).to(device.place, non_blocking=True)
            self.added = {"text_embeds": pooled, "time_ids": there.expand(self.rows, -1)}
        self._row_contexts = [*prompts, *negatives]
        self.beside = self._stack([state.beside for state in self._states])
        self.guidance_embeddings = self._stack([state.guidance_embedding for state in self._states])
        self.rescaled = tuple(
            (i, self._states[i].guidance_rescale)
            for i in guided
            if self._states[i].guidance_rescale
        )
        keeps = any(state.original for state in self._states)
        self._kept_parts = KeptParts(self.samples, device) if keeps else None
        self._asks_for_control = any(state.controls for state in self._states)
        self._controlled: tuple[ControlledRow, ...] = ()
        self._control_batch: ControlBatch | None = None

        self._drawing = [i for i, state in enumerate(self._states) if len(state.noise) > 1]
        most = max(state.registers for state in self._states)
        self.planes = torch.stack([_with_registers(state, most) for state in self._states])

    def sides(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """Of the model's [rows, ...] each sample's prompt's and its negative prompt's, [S, ...].

        A sample without a negative prompt has its prompt's on both sides.
        """
        count = len(self.samples)
        if self._negative_row is None:
            negative = output.narrow(0, count, count)
        else:
            negative = output.index_select(0, self._negative_row)
        return output.narrow(0, 0, count), negative

    def noise(self) -> dict[int, Tensor]:
        """[C, H, W] for each sample that draws a noise in the coming tick, by its place."""
        drawn = {i: self._states[i].noise_index[self.samples[i].tick] for i in self._drawing}
        # Draw 0 is the initial noise: what a tick without a draw points to.
        return {i: self._states[i].noise[index] for i, index in drawn.items() if index}

    def control_batch(self, nets: ControlNets) -> ControlBatch | None:
        """The ControlNet calls of the coming tick; None where no row asks for one."""
        if not self._asks_for_control:
            return None
        active = [
            tuple(control for control in state.controls if control.active[sample.tick])
            for sample, state in zip(self.samples, self._states, strict=True)
        ]
        controlled = tuple(
            ControlledRow(row, context, active[self._sample_of_row[row]])
            for row, context in enumerate(self._row_contexts)
            if active[self._sample_of_row[row]]
        )
        if controlled != self._controlled:
            self._controlled = controlled
            self._control_batch = (
                ControlBatch(nets, controlled, self.samples[0].key.kind, self._device)
                if controlled
                else None
            )
        return self._control_batch

    def advance(self, planes: Tensor) -> None:
        """Give every sample its new state; what inpainting keeps is put back."""
        if self._kept_parts:
            self._kept_parts.put_back(planes)
        self.planes = planes
        for place, state in enumerate(self._states):
            state.batch, state.place = planes, place

    def _stack(self, tensors: Sequence[Tensor | None]) -> Tensor | None:
        """[rows, ...], each row's sample's; all samples have one or none, by the UNet's kind."""
        given = [tensor for tensor in tensors if tensor is not None]
        if not given:
            return None
        return torch.stack(given).index_select(0, self.sample_of_row).to(self.dtype)


def _with_registers(state: Denoising, count: int) -> Tensor:
    missing = count - state.registers
    return pad(state.planes, (0, 0) * 3 + (0, missing)) if missing else state.planes
