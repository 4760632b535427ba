"""Builds a model's forms beside its serving, and swaps each in between two ticks."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from worker.engine.engine import Engine
from worker.engine.sample import EngineStopped, Sample
from worker.engine.stepper import DeviceLost
from worker.models.compiling import compile_fixed, forbid_recompiling
from worker.models.device import Device, own_stream, translated_device_errors
from worker.models.forms import Form, GraphPool, UNetShape, bare_twin, plain_forward
from worker.models.image import Autoencoder
from worker.models.stepper import DiffusionStepper

log = logging.getLogger(__name__)

# Makes so many samples of a row each.
Samples = Callable[[int], Sequence[Sample]]

BUILDING, FAILED = "building", "failed"
VAE = "vae"

# Each of them holds up the running work for one tick.
TIMED_TICKS = 3


@dataclass(frozen=True)
class FormPlan:
    """What is to be built: for which row buckets, compiled or captured or both."""

    compiled: bool = False
    graphs: bool = False
    rows: tuple[int, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether the model serves as it is."""
        return not (self.compiled or self.graphs)


@dataclass(frozen=True)
class FormBuilder:
    """The parts of one model that have forms.

    `told` hears of each form: `unet_4` or `vae`, and its state: building, compiled, graph,
    compiled+graph, or failed, where the plain module goes on serving.
    """

    unet: Any
    stepper: DiffusionStepper
    autoencoder: Autoencoder
    device: Device
    engine: Engine
    plan: FormPlan
    pool: GraphPool
    told: Callable[[str, str], None]

    def build(self, samples: Samples, stopping: Callable[[], bool]) -> dict[int, float]:
        """Build one form after the other, the largest first: later graphs fit its memory.

        `samples` makes so many samples of a row each, of the size that is configured, on the
        device. The answer is the seconds of a tick by the rows of what was built. Raises
        EngineStopped where the worker ends first.
        """
        seconds: dict[int, float] = {}
        twins: list[Any] = []
        self.engine.call(lambda: twins.append(bare_twin(self.unet)))
        worth_it = [rows for rows in self.plan.rows if rows <= self.stepper.max_rows]
        builds = [
            (f"unet_{rows}", partial(self._build_unet, twins[0], rows, samples, seconds))
            for rows in sorted(worth_it, reverse=True)
        ]
        if self.plan.compiled:
            builds.append((VAE, partial(self._build_vae, samples)))
        for name, build in builds:
            if stopping():
                break
            self.told(name, BUILDING)
            try:
                self.told(name, build())
            except (EngineStopped, DeviceLost):
                raise
            except Exception:  # a compiler's failure is of many kinds, and none is the model's
                log.exception("a form could not be built", extra={"form": name})
                self.told(name, FAILED)
        return seconds

    def _build_unet(
        self,
        unet: Any,
        rows: int,
        samples: Samples,
        seconds: dict[int, float],
    ) -> str:
        forward = plain_forward(unet)
        if self.plan.compiled:
            forward = compile_fixed(forward)
        with torch.inference_mode(), own_stream(self.device), translated_device_errors():
            example = self.stepper.example(samples(rows))
            # A company's contexts are the same tensors from tick to tick.
            form = Form(forward, example.tensors(), fresh=2)
            form.build()
        with self.pool.held():
            self.engine.call(partial(self._adopt, example.shape, form))
        timed = samples(rows)
        for _ in range(TIMED_TICKS):
            self.engine.call(lambda: self._time(rows, timed, seconds))
        kinds = (("compiled", self.plan.compiled), ("graph", self.plan.graphs))
        return "+".join(kind for kind, wanted in kinds if wanted)

    def _adopt(self, shape: UNetShape, form: Form) -> None:
        """On the engine's thread, between two ticks."""
        if self.plan.compiled:
            forbid_recompiling()
        if self.plan.graphs:
            with torch.inference_mode(), translated_device_errors():
                self.pool.capture(form)
        self.stepper.forms[shape] = form

    def _time(self, rows: int, samples: Sequence[Sample], seconds: dict[int, float]) -> None:
        """One tick, on the engine's thread; the shortest counts."""
        took = self.stepper.launch(samples).wait().seconds
        seconds[rows] = min(took, seconds.get(rows, took))

    def _build_vae(self, samples: Samples) -> str:
        vae = self.autoencoder.vae

        def decoder(latents: Tensor) -> Tensor:
            if vae.post_quant_conv is not None:
                latents = vae.post_quant_conv(latents)
            picture: Tensor = vae.decoder(latents)
            return picture

        with torch.inference_mode(), own_stream(self.device), translated_device_errors():
            latents = samples(1)[0].state.planes[:1].to(vae.dtype)
            form = Form(compile_fixed(decoder), [latents])
            form.build()
        self.autoencoder.adopt(form)
        return "compiled"
