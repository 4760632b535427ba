"""Brings one model up to its speed on this device: first to be ready at all, then to be fast."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.request import GenerationRequest
from worker.engine.engine import Engine
from worker.engine.sample import Sample
from worker.models.attention import choose_attention
from worker.models.building import FormBuilder, FormPlan
from worker.models.device import Device, DeviceSettings
from worker.models.float8 import Float8Weights, decibels
from worker.models.forms import GraphPool
from worker.models.image import Autoencoder
from worker.models.stepper import DiffusionStepper
from worker.models.warm_up import LEAST_ROWS, WarmUp, find_knee, measure_ticks

# Steps of the picture that is made before the model takes work: every part of the way has run
# then, and readiness need not wait for more ticks of a known length.
TRIAL_STEPS = 4

# What pictures with 8-bit layers are compared by.
GATE_PROMPT = "a lighthouse at dusk, waves, a small boat"
GATE_SEEDS = (0, 1)


@dataclass
class Readiness:
    """The parts of a model whose speed is measured and raised.

    Attributes:
        request: one picture with the model's defaults.
        sample_of: makes such a request's sample.
        float8: whether the UNet's linear layers have 8 bits.
    """

    unet: Any
    stepper: DiffusionStepper
    autoencoder: Autoencoder
    device: Device
    settings: DeviceSettings
    request: GenerationRequest
    sample_of: Callable[[GenerationRequest], Sample]
    float8: bool = False

    def warm_up(self, engine: Engine, preview_fit: float) -> WarmUp:
        """Time the model, set what depends on it, and make a picture of few steps."""
        float8_decibels = self._try_float8(engine) if self.settings.float8 else None
        attention = choose_attention(
            self.unet,
            self.device,
            self.settings.attention,
            lambda: self._time_tick(LEAST_ROWS),
        )
        tick_seconds = measure_ticks(self._time_tick)
        self.stepper.max_rows = find_knee(tick_seconds)
        return WarmUp(
            attention=attention,
            max_rows=self.stepper.max_rows,
            tick_seconds=tick_seconds,
            image_seconds=self._image_seconds(engine),
            preview_fit=preview_fit,
            float8=self.float8,
            float8_decibels=float8_decibels,
        )

    def build_forms(
        self,
        engine: Engine,
        plan: FormPlan,
        held: Callable[[], AbstractContextManager[None]],
        told: Callable[[str, str], None],
        stopping: Callable[[], bool],
    ) -> dict[int, float]:
        """Build what the plan says beside the running work; see `FormBuilder`.

        `held` keeps the other device threads still. The answer is the seconds of a tick by rows.
        """
        builder = FormBuilder(
            self.unet,
            self.stepper,
            self.autoencoder,
            self.device,
            engine,
            plan,
            GraphPool(self.device, held),
            told,
        )
        return builder.build(self._samples, stopping)

    def _time_tick(self, rows: int) -> float:
        return self.stepper.launch(self._samples(rows)).wait().seconds

    def _samples(self, rows: int) -> list[Sample]:
        """One sample of a single row, as often as asked for, on the device."""
        sample = self.sample_of(self.request.model_copy(update={"guidance_scale": 1.0}))
        self.stepper.admit(sample)
        return [sample] * rows

    def _image_seconds(self, engine: Engine) -> float:
        """The time of a picture of few steps, and of the ticks that the default has beyond it."""
        steps = min(self.request.steps, TRIAL_STEPS)
        trial = self.request.model_copy(update={"steps": steps})
        began = time.perf_counter()
        sample = self.sample_of(trial)
        self._finish(engine, sample)
        seconds = time.perf_counter() - began
        whole = self.sample_of(self.request)
        self.stepper.admit(whole)
        tick_seconds = min(self.stepper.launch([whole]).wait().seconds for _ in range(2))
        return seconds + (whole.ticks - sample.ticks) * tick_seconds

    def _picture(self, engine: Engine, request: GenerationRequest) -> NDArray[np.uint8]:
        return self._finish(engine, self.sample_of(request))

    def _finish(self, engine: Engine, sample: Sample) -> NDArray[np.uint8]:
        engine.submit([sample])
        return self.autoencoder.decode(sample.finished.result())

    def _try_float8(self, engine: Engine) -> float:
        """Let the UNet's linear layers have 8 bits if pictures stay close; how close they are."""
        requests = [
            self.request.model_copy(update={"prompt": GATE_PROMPT, "seed": seed})
            for seed in GATE_SEEDS
        ]
        exact = [self._picture(engine, request) for request in requests]
        weights = Float8Weights(self.unet)
        engine.call(weights.apply)
        found = decibels(exact, [self._picture(engine, request) for request in requests])
        self.float8 = found >= self.settings.float8_decibels
        if not self.float8:
            engine.call(weights.take_back)
        return found
