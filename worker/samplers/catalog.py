"""The samplers by name: each is a diffusers scheduler and its configuration."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DEISMultistepScheduler,
    DPMSolverMultistepScheduler,
    DPMSolverSinglestepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
    HeunDiscreteScheduler,
    KDPM2AncestralDiscreteScheduler,
    KDPM2DiscreteScheduler,
    LCMScheduler,
    LMSDiscreteScheduler,
    PNDMScheduler,
    SASolverScheduler,
    TCDScheduler,
    UniPCMultistepScheduler,
)

from shared.capabilities import Prediction

PLAIN = {
    "use_karras_sigmas": False,
    "use_exponential_sigmas": False,
    "use_beta_sigmas": False,
    "use_lu_lambdas": False,
}

# `default` is as the model's configuration says; any other overrules it.
SCHEDULES: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "karras": {**PLAIN, "use_karras_sigmas": True},
    "exponential": {**PLAIN, "use_exponential_sigmas": True},
    "beta": {**PLAIN, "use_beta_sigmas": True},
    "sgm_uniform": {**PLAIN, "timestep_spacing": "trailing"},
}
EVERY = tuple(SCHEDULES)
SPACINGS = ("default", "sgm_uniform")

# Not linear, and meant for models of pixels.
UNCLIPPED = {"clip_sample": False, "thresholding": False}

ZERO_TERMINAL = "rescale_betas_zero_snr"


@dataclass(frozen=True)
class Sampler:
    """A diffusers class, its schedules, and what its configuration has besides the model's.

    `label` is AUTOMATIC1111's name, or that of its forks.
    """

    label: str
    scheduler: type
    schedules: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    prediction: Prediction = Prediction.DIFFUSION

    def knows(self, option: str) -> bool:
        """Whether the class has such an option; others are ignored without a word."""
        return option in inspect.signature(self.scheduler.__init__).parameters  # type: ignore[misc]


def _multistep(label: str, algorithm: str, order: int) -> Sampler:
    options = {"algorithm_type": algorithm, "solver_order": order}
    return Sampler(label, DPMSolverMultistepScheduler, EVERY, options)


SAMPLERS: Mapping[str, Sampler] = {
    "euler": Sampler("Euler", EulerDiscreteScheduler, EVERY),
    "euler_a": Sampler("Euler a", EulerAncestralDiscreteScheduler, SPACINGS),
    "heun": Sampler("Heun", HeunDiscreteScheduler, EVERY),
    "dpm2": Sampler("DPM2", KDPM2DiscreteScheduler, EVERY),
    "dpm2_a": Sampler("DPM2 a", KDPM2AncestralDiscreteScheduler, EVERY),
    "lms": Sampler("LMS", LMSDiscreteScheduler, EVERY),
    "ddim": Sampler("DDIM", DDIMScheduler, SPACINGS),
    "ddpm": Sampler("DDPM", DDPMScheduler, SPACINGS),
    # Without the Runge-Kutta steps, as Stable Diffusion has always used it.
    "pndm": Sampler("PLMS", PNDMScheduler, SPACINGS, {"skip_prk_steps": True}),
    "dpmpp_2m": _multistep("DPM++ 2M", "dpmsolver++", 2),
    "dpmpp_3m": _multistep("DPM++ 3M", "dpmsolver++", 3),
    "dpmpp_2s": Sampler(
        "DPM++ 2S",
        DPMSolverSinglestepScheduler,
        ("default", "karras", "exponential", "beta"),
        # Without a lower order at the end it would divide by the last sigma, zero.
        {"algorithm_type": "dpmsolver++", "solver_order": 2, "lower_order_final": True},
    ),
    "dpmpp_2m_sde": _multistep("DPM++ 2M SDE", "sde-dpmsolver++", 2),
    "dpmpp_3m_sde": _multistep("DPM++ 3M SDE", "sde-dpmsolver++", 3),
    "unipc": Sampler("UniPC", UniPCMultistepScheduler, EVERY, {"solver_order": 2}),
    "deis": Sampler(
        "DEIS", DEISMultistepScheduler, EVERY, {"algorithm_type": "deis", "solver_order": 2}
    ),
    "sa": Sampler("SA Solver", SASolverScheduler, EVERY, {"algorithm_type": "data_prediction"}),
    # Both choose among the steps that they were distilled for, whatever the spacing.
    "lcm": Sampler("LCM", LCMScheduler, ("default",)),
    "tcd": Sampler("TCD", TCDScheduler, ("default",)),
    "flow_euler": Sampler(
        "Flow Euler",
        FlowMatchEulerDiscreteScheduler,
        ("default", "karras", "exponential", "beta"),
        prediction=Prediction.FLOW,
    ),
    "flow_heun": Sampler(
        "Flow Heun", FlowMatchHeunDiscreteScheduler, ("default",), prediction=Prediction.FLOW
    ),
}


def prediction_of(model_config: Mapping[str, Any]) -> Prediction:
    """What a model of this scheduler configuration was trained to predict.

    Raises ValueError for what no sampler here fits.
    """
    made_for = str(model_config.get("_class_name", ""))
    if made_for.startswith("EDM"):
        raise ValueError("models in EDM's preconditioning are not supported")
    if made_for.startswith("FlowMatch") or model_config.get("prediction_type") == "flow_prediction":
        return Prediction.FLOW
    return Prediction.DIFFUSION


def make_scheduler(model_config: Mapping[str, Any], sampler: str, schedule: str) -> Any:
    """A fresh diffusers scheduler for a model's scheduler configuration.

    Raises ValueError for names that are not in the catalog or do not go together, and where the
    sampler does not fit the model.
    """
    chosen = SAMPLERS.get(sampler)
    if chosen is None or schedule not in chosen.schedules:
        raise ValueError(f"there is no sampler {sampler!r} with the schedule {schedule!r}")
    prediction = prediction_of(model_config)
    if chosen.prediction is not prediction:
        raise ValueError(f"it is not made for models of the kind {prediction.value!r}")
    if model_config.get(ZERO_TERMINAL) and not chosen.knows(ZERO_TERMINAL):
        raise ValueError("the model's noise schedule ends without signal, which it cannot follow")
    options = {**chosen.options, **SCHEDULES[schedule], **UNCLIPPED}
    if prediction is Prediction.FLOW:
        # Solvers of another class call it `flow_shift`.
        options["shift"] = model_config.get("shift", model_config.get("flow_shift", 1.0))
    return chosen.scheduler.from_config(dict(model_config), **options)  # type: ignore[attr-defined]
