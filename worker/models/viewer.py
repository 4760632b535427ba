"""Who looks at a job's samples while they are denoised: at which ticks, and what is kept."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from shared.request import GenerationRequest
from worker.engine.sample import Sample

PREVIEW_SECONDS = 0.5  # between two previews of a job, however fast it goes
TRAJECTORY_FRAMES = 48  # of one picture, at most


@dataclass(frozen=True, eq=False)
class View:
    """The picture that one tick foresees, in small.

    Attributes:
        index: which of the job's images.
        step: ticks done, of `steps`.
        place: [h, w, 3] uint8 on the host, perhaps still on its way.
        arrived: the CUDA event that says it is there; None where it is.
    """

    index: int
    step: int
    steps: int
    place: Tensor
    arrived: Any = None

    def pixels(self) -> NDArray[np.uint8]:
        """[h, w, 3], as soon as it is there. From any thread but the engine's."""
        if self.arrived is not None:
            self.arrived.synchronize()
        pixels: NDArray[np.uint8] = self.place.numpy()
        return pixels


class Viewer:
    """Looks at one attempt's samples: on the engine's thread, so it decides and keeps, no more.

    A preview is of the image that was shown least; `offer` takes it and must be cheap.
    """

    def __init__(self, request: GenerationRequest, offer: Callable[[View], None]) -> None:
        self._every = request.preview_every
        passes = 2 if request.hires else 1
        self._frames_a_pass = TRAJECTORY_FRAMES // passes if request.trajectory else 0
        self._offer = offer
        self._shown_at = -PREVIEW_SECONDS
        self._shown: Counter[int] = Counter()
        self._frames: defaultdict[int, list[View]] = defaultdict(list)

    def wants(self, sample: Sample, now: float) -> bool:
        """Whether to look at the sample's coming tick; `now` is the same for a whole batch."""
        return self._keeps(sample) or self._previews(sample, now)

    def show(self, now: float, seen: Sequence[tuple[Sample, Tensor, Any]]) -> None:
        """Take what was wanted: samples, each with its small picture and when that arrives."""
        candidates = []
        for sample, place, arrived in seen:
            step = sample.earlier_ticks + sample.tick + 1
            steps = sample.earlier_ticks + sample.ticks + sample.later_ticks
            view = View(sample.index, step, steps, place, arrived)
            if self._keeps(sample):
                self._frames[sample.index].append(view)
            if self._previews(sample, now):
                candidates.append(view)
        if candidates:
            chosen = min(candidates, key=lambda view: self._shown[view.index])
            self._shown[chosen.index] += 1
            self._shown_at = now
            self._offer(chosen)

    def frames(self, index: int) -> list[View]:
        """An image's trajectory, once its last tick has been waited for."""
        return self._frames[index]

    def _previews(self, sample: Sample, now: float) -> bool:
        due = self._every and (sample.tick + 1) % self._every == 0
        return bool(due) and now - self._shown_at >= PREVIEW_SECONDS

    def _keeps(self, sample: Sample) -> bool:
        """Evenly chosen, the last one among them; all, where there are no more than may be kept."""
        kept, ticks = min(self._frames_a_pass, sample.ticks), sample.ticks
        return (sample.tick + 1) * kept // ticks > sample.tick * kept // ticks
