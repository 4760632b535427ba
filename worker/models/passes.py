"""The passes of a job: how large, how many steps, and how much of them."""

from dataclasses import dataclass

from shared.request import GenerationRequest
from worker.samplers.catalog import SAMPLERS


@dataclass(frozen=True)
class Pass:
    """One denoising from its first tick to its last; sides in pixels.

    Where it begins with a picture or a latent, `strength` says how much of the steps is done.
    """

    width: int
    height: int
    steps: int
    strength: float

    def start_tick(self, sampler: str) -> int:
        """The tick that a late start begins with, counted as diffusers' pipelines do."""
        done = max(int(self.steps * self.strength), 1)
        return (self.steps - done) * int(SAMPLERS[sampler].scheduler.order)  # type: ignore[attr-defined]


def first_pass(request: GenerationRequest) -> Pass:
    """The one at the request's own size."""
    strength = request.strength if request.image else 1.0
    return Pass(request.width, request.height, request.steps, strength)


def second_pass(request: GenerationRequest) -> Pass:
    """The one that follows at a larger size; there is one."""
    assert request.hires is not None
    return Pass(*request.size, request.hires.steps, request.hires.strength)
