"""A company's course: what the sampler tables say of its coming ticks, gathered once for all."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from worker.engine.sample import Sample
from worker.samplers.tables import COLUMNS, PLANES

# One tick in so many is looked at, and every sample's last.
CHECK_TURN = 8


class CourseTick(NamedTuple):
    """One tick of S samples in `rows` rows, float32 on the device.

    Attributes:
        guidance: [S], the scales.
        matrices: [S, PLANES, COLUMNS], see `SamplerTable`.
        timesteps: [rows].
        input_scales: [rows, 1, 1, 1], what a latent is multiplied with for the UNet to see.
        checked: whether it is looked at afterwards if every sample is finite.
    """

    guidance: Tensor
    matrices: Tensor
    timesteps: Tensor
    input_scales: Tensor
    checked: bool


class Course:
    """The ticks that some samples take together, from now until the first of them is finished."""

    def __init__(self, samples: Sequence[Sample], sample_of_row: Tensor) -> None:
        """`sample_of_row`: [rows], places among the samples."""
        self._pacemaker = samples[0]
        self._began = self._pacemaker.tick
        ahead = min(sample.ticks - sample.tick for sample in samples)
        # A tick only has to look up its place: on a GPU each gathering is a kernel, and on a CPU a
        # tick's small operations find cold caches after the model's call.
        lines = torch.stack(
            [sample.state.lines.narrow(0, sample.tick, ahead) for sample in samples], dim=1
        )
        self._ahead = ahead
        self._guidance = lines[:, :, 0]
        self._matrices = lines[:, :, 3:].view(ahead, len(samples), PLANES, COLUMNS)
        of_row = lines[:, :, 1:3].transpose(0, 2).index_select(1, sample_of_row)
        self._timesteps, scales = of_row.transpose(1, 2).contiguous().unbind()
        self._input_scales = scales[:, :, None, None, None]

    def coming(self) -> CourseTick:
        """The tick that the samples take next."""
        tick = self._pacemaker.tick - self._began
        # What is not finite stays so: a sample's last tick would tell, and a look now and then
        # ends it sooner. The last of a course is some sample's last.
        in_turn = self._pacemaker.tick % CHECK_TURN == CHECK_TURN - 1
        return CourseTick(
            self._guidance[tick],
            self._matrices[tick],
            self._timesteps[tick],
            self._input_scales[tick],
            in_turn or tick == self._ahead - 1,
        )
