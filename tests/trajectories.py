"""Whole trajectories, by diffusers' schedulers and by our tables, on the same model."""

import copy
import inspect
from functools import cache

import torch

from worker.samplers.catalog import SAMPLERS, make_scheduler
from worker.samplers.noise import draw_noise
from worker.samplers.probe import probe
from worker.samplers.tables import COLUMNS, PLANES, SamplerTable, pack
from worker.samplers.update import advance

SHAPE = (4, 8, 8)
STEPS = 7
STARTS = (0, 3, STEPS - 1)
SEED = 5
ETA = 0.6
# As Stable Diffusion's, saved by another class, whose options other classes know too.
STABLE_DIFFUSION = {
    "_class_name": "DPMSolverMultistepScheduler",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "steps_offset": 1,
    "timestep_spacing": "leading",
    "algorithm_type": "dpmsolver++",
    "solver_order": 2,
    "solver_type": "midpoint",
    "variance_type": None,
}
FLOW = {
    "_class_name": "FlowMatchEulerDiscreteScheduler",
    "num_train_timesteps": 1000,
    "shift": 3.0,
}


def model_config(sampler, prediction_type="epsilon"):
    """The scheduler configuration of a model that the sampler is made for."""
    if SAMPLERS[sampler].prediction == "flow":
        return FLOW
    return {**STABLE_DIFFUSION, "prediction_type": prediction_type}


def model(latent, timestep):
    """A cheap model that is neither linear nor blind to time."""
    return torch.tanh(latent.roll(1, -1) * 0.7 + float(timestep) / 1000)


@cache
def _prototype(config, sampler, schedule):
    return make_scheduler(dict(config), sampler, schedule)


def fresh_scheduler(config, sampler, schedule="default"):
    """A scheduler that nobody has used; some take half a second to make, but not to copy."""
    # Nothing that is done before the first step looks at what is predicted.
    plain = {name: value for name, value in config.items() if name != "prediction_type"}
    scheduler = copy.deepcopy(_prototype(tuple(plain.items()), sampler, schedule))
    scheduler.register_to_config(prediction_type=config.get("prediction_type", "flow_prediction"))
    return scheduler


def fresh_table(config, sampler, schedule="default", steps=STEPS, start=0, eta=ETA):
    """As `build_table` makes it."""
    scheduler = fresh_scheduler(config, sampler, schedule)
    return pack(probe(scheduler, steps, start * scheduler.order, eta))


def by_diffusers(scheduler, steps=STEPS, start=0, eta=ETA):
    """All latents of a trajectory, [1 + ticks, C, H, W], as a pipeline makes them."""
    scheduler.set_timesteps(steps)
    start *= scheduler.order
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(start)
    generator = torch.Generator("cpu").manual_seed(SEED)
    known = inspect.signature(scheduler.step).parameters
    options = {"eta": eta, "generator": generator}
    options = {name: options[name] for name in options if name in known}
    # Flow matching knows neither of the two.
    scaled = getattr(scheduler, "scale_model_input", lambda latent, _: latent)
    latent = torch.randn(1, *SHAPE, generator=generator)
    latent = latent * getattr(scheduler, "init_noise_sigma", 1.0)
    latents = [latent]
    for timestep in scheduler.timesteps[start:]:
        output = model(scaled(latent, timestep), timestep)
        latent = scheduler.step(output, timestep, latent, return_dict=False, **options)[0]
        latents.append(latent)
    return torch.cat(latents)


def by_table(table: SamplerTable):
    """The same by our table and update, as a worker makes them."""
    noise = draw_noise(SEED, SHAPE, table.draws)
    planes = torch.zeros(1, 1 + table.registers, *SHAPE)
    planes[0, 0] = noise[0] * table.initial_scale
    latents = [planes[0, 0]]
    for line, draw in zip(table.lines, table.noise_index, strict=True):
        timestep, scale = line[:2]
        output = model(planes[:, 0] * scale, timestep)
        matrices = line[2:].view(1, PLANES, COLUMNS)
        planes = advance(planes, output, {0: noise[draw]}, matrices)
        latents.append(planes[0, 0])
    return torch.stack(latents)


def largest_difference(config, sampler, schedule="default", start=0, eta=ETA):
    """Between the two, over the whole trajectory, relative to the largest of the state."""
    expected = by_diffusers(fresh_scheduler(config, sampler, schedule), STEPS, start, eta)
    found = by_table(fresh_table(config, sampler, schedule, STEPS, start, eta))
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max())
