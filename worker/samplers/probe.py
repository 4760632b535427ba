"""Reads a sampler's matrices off a diffusers scheduler by running it on basis vectors.

A step of every common method is linear: (latent, registers, model output, noise) goes to
(latent', registers'), where registers are the tensors that the scheduler keeps between steps.
So each of them is given one axis of a small space and the scheduler is run once; the vectors it
answers with are the coefficients. After a step the tensors it kept get fresh axes of their own.
"""

import inspect
from collections.abc import Iterator, MutableMapping, MutableSequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

# Axes of the probing space: the latent, the model's output, the noise, then kept tensors.
LATENT, OUTPUT, NOISE, FIRST_KEPT = range(4)
AXES = 16
# Schedulers expect a batch with channels. Nothing else that they hold has this shape.
SHAPE = (1, AXES, 1, 1)

FLOW = "flow_prediction"


@dataclass(frozen=True)
class Trajectory:
    """A sampler over a whole schedule, for T ticks and R registers; all tensors are float64.

    Attributes:
        timesteps: [T], what the model is told.
        input_scale: [T], the model's input is the latent times this.
        matrices: [T, 1 + R, 1 + R + 2]; rows: new latent, new registers; columns: latent,
            registers, model output, noise. Registers are zero before the first tick.
        draws: [T] booleans, whether the tick draws a noise.
        noising: [T, 2], (a, b): a clean latent x at noise n enters tick t as a * x + b * n.
        clean: [T, 2], (a, b): tick t predicts the clean latent a * latent + b * model output.
        initial_scale: a trajectory from pure noise starts at noise times this.
    """

    timesteps: Tensor
    input_scale: Tensor
    matrices: Tensor
    draws: tuple[bool, ...]
    noising: Tensor
    clean: Tensor
    initial_scale: float

    @property
    def registers(self) -> int:
        """R, the latent-sized tensors carried from tick to tick."""
        return self.matrices.shape[1] - 1


def probe(scheduler: Any, steps: int, start: int = 0, eta: float = 0.0) -> Trajectory:
    """Read the trajectory of `steps` steps off a diffusers scheduler, which is used up by it.

    `start` skips that many ticks (image-to-image), whole steps of the method. `eta` matters only
    to schedulers that know it. Raises ValueError where the method clips, draws twice in a step,
    keeps more tensors than there are axes, or has no finite coefficients.
    """
    if scheduler.config.get("clip_sample") or scheduler.config.get("thresholding"):
        raise ValueError("clipping and thresholding are not linear")
    scheduler.set_timesteps(steps)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(start)
    extra = {"eta": eta} if "eta" in inspect.signature(scheduler.step).parameters else {}
    timesteps = scheduler.timesteps[start:]
    scales, noising, steps_read = [], [], []
    for timestep in timesteps:
        scales.append(_input_scale(scheduler, timestep))
        noising.append(_noising(scheduler, timestep, scales[-1]))
        with _NoiseCatcher() as catcher:
            answer = scheduler.step(
                _axis(OUTPUT), timestep, _axis(LATENT), return_dict=False, **extra
            )
        latent = answer[0].flatten().double()
        steps_read.append(_Step(latent, _renew_kept(scheduler, latent), catcher.draws == 1))
    matrices = _matrices(steps_read)
    input_scale = torch.stack(scales).double()
    noised = torch.stack(noising).double()
    clean = _clean(noised, input_scale, scheduler.config.get("prediction_type", FLOW))
    if not (matrices.isfinite().all() and clean.isfinite().all()):
        raise ValueError(f"the method has no finite trajectory from tick {start} of {steps} steps")
    return Trajectory(
        timesteps=timesteps.double(),
        input_scale=input_scale,
        matrices=matrices,
        draws=tuple(step.draws for step in steps_read),
        noising=noised,
        clean=clean,
        # Flow matching starts from the noise itself, and says so by having no word for it.
        initial_scale=float(getattr(scheduler, "init_noise_sigma", 1.0)),
    )


@dataclass(frozen=True)
class _Step:
    """A step's answers as vectors of the probing space; `kept[i]` has the axis FIRST_KEPT + i."""

    latent: Tensor
    kept: tuple[Tensor, ...]
    draws: bool


class _NoiseCatcher(TorchFunctionMode):
    """Answers every draw with the noise axis, in this thread only."""

    def __init__(self) -> None:
        super().__init__()
        self.draws = 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func not in (torch.randn, torch.randn_like):
            return func(*args, **(kwargs or {}))
        self.draws += 1
        if self.draws > 1:
            raise ValueError("the method draws more than one noise in a step")
        return _axis(NOISE)


def _axis(index: int) -> Tensor:
    vector = torch.zeros(AXES, dtype=torch.float64)
    vector[index] = 1
    return vector.view(SHAPE)


def _input_scale(scheduler: Any, timestep: Tensor) -> Tensor:
    if not hasattr(scheduler, "scale_model_input"):
        return torch.ones((), dtype=torch.float64)
    scaled: Tensor = scheduler.scale_model_input(_axis(LATENT), timestep)
    return scaled.flatten()[LATENT]


def _noising(scheduler: Any, timestep: Tensor, input_scale: Tensor) -> Tensor:
    """(a, b) of adding noise at the coming tick; call it after `scale_model_input`."""
    if hasattr(scheduler, "sigmas_interpol") and not scheduler.state_in_first_order:
        # In the middle of a step DPM2 adds as much noise as at its end; its scale is right.
        return torch.stack([torch.ones_like(input_scale), (input_scale**-2 - 1).sqrt()])
    if hasattr(scheduler, "scale_noise"):
        noised = scheduler.scale_noise(_axis(LATENT), timestep.reshape(1), _axis(NOISE))
    else:
        noised = scheduler.add_noise(_axis(LATENT), _axis(NOISE), timestep.reshape(1))
    found: Tensor = noised.flatten()[[LATENT, NOISE]]
    return found


def _renew_kept(scheduler: Any, latent: Tensor) -> tuple[Tensor, ...]:
    """Give every tensor that the scheduler keeps a fresh axis; return what they were.

    A tensor kept in two places shares one axis, and one that equals the new latent is that.
    """
    known = [latent]
    axes = [LATENT]
    for place, key in _places(vars(scheduler)):
        vector = place[key].flatten().double()
        same = next((i for i, other in enumerate(known) if torch.equal(other, vector)), None)
        if same is None:
            same = len(known)
            known.append(vector)
            axes.append(FIRST_KEPT + same - 1)
            if axes[-1] >= AXES:
                raise ValueError(f"the method keeps more than {AXES - FIRST_KEPT} tensors")
        place[key] = _axis(axes[same])
    return tuple(known[1:])


def _places(
    attributes: MutableMapping[str, Any],
) -> Iterator[tuple[MutableMapping[Any, Any] | MutableSequence[Any], Any]]:
    """Where the scheduler keeps tensors: its attributes and the lists among them."""
    for name, value in list(attributes.items()):
        if _is_vector(value):
            yield attributes, name
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if _is_vector(item):
                    yield value, index


def _is_vector(value: Any) -> bool:
    return isinstance(value, Tensor) and value.shape == SHAPE


def _matrices(steps: list[_Step]) -> Tensor:
    """Stack the steps, with only those registers that a later step still reads.

    Going backwards, a kept tensor lives where a row that matters has a coefficient for it.
    Those that live between two ticks take the register columns in their order.
    """
    live_after: list[int] = []
    ticks: list[tuple[Tensor, list[int]]] = []
    for step in reversed(steps):
        rows = torch.stack([step.latent, *(step.kept[kept] for kept in live_after)])
        live_before = (rows[:, FIRST_KEPT:] != 0).any(0).nonzero().flatten().tolist()
        ticks.append((rows, live_before))
        live_after = live_before
    ticks.reverse()
    registers = max(len(live) for _, live in ticks)
    matrices = torch.zeros(len(ticks), 1 + registers, 1 + registers + 2, dtype=torch.float64)
    for matrix, (rows, live) in zip(matrices, ticks, strict=True):
        matrix[: len(rows), 0] = rows[:, LATENT]
        matrix[: len(rows), 1 : 1 + len(live)] = rows[:, [FIRST_KEPT + kept for kept in live]]
        matrix[: len(rows), -2] = rows[:, OUTPUT]
        matrix[: len(rows), -1] = rows[:, NOISE]
    return matrices


def _clean(noising: Tensor, input_scale: Tensor, prediction_type: str) -> Tensor:
    """The clean latent from latent and model output, for x = a * clean + b * noise, [T, 2]."""
    a, b = noising.unbind(1)
    if prediction_type == "epsilon":
        return torch.stack([1 / a, -b / a], dim=1)
    if prediction_type == "v_prediction":
        # The model sees alpha * clean + sigma * noise, alpha = scale * a, sigma = scale * b,
        # and answers v = alpha * noise - sigma * clean.
        return torch.stack([a * input_scale**2, -b * input_scale], dim=1)
    if prediction_type == FLOW:
        # x = (1 - b) * clean + b * noise, and the model answers noise - clean.
        return torch.stack([torch.ones_like(b), -b], dim=1)
    if prediction_type == "sample":
        return torch.stack([torch.zeros_like(b), torch.ones_like(b)], dim=1)
    raise ValueError(f"prediction type {prediction_type!r} is not known")
