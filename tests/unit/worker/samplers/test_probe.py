"""The probe against diffusers: whole trajectories, by their schedulers and by our matrices."""

import threading
from functools import partial

import diffusers
import pytest
import torch

from worker.samplers.catalog import SAMPLERS, make_scheduler
from worker.samplers.probe import probe

STEPS = 18
MODEL = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "steps_offset": 1,
}

NAMED = [(name, schedule) for name, one in SAMPLERS.items() for schedule in one.schedules]

# Not offered under a name yet, but the probe is general.
OTHERS = {
    "ddpm": (diffusers.DDPMScheduler, {"clip_sample": False}),
    "pndm": (diffusers.PNDMScheduler, {"skip_prk_steps": True}),
    "heun": (diffusers.HeunDiscreteScheduler, {}),
    "kdpm2": (diffusers.KDPM2DiscreteScheduler, {}),
    "kdpm2_a": (diffusers.KDPM2AncestralDiscreteScheduler, {}),
    "dpmpp_3m": (diffusers.DPMSolverMultistepScheduler, {"solver_order": 3}),
    "dpmpp_2m_sde": (
        diffusers.DPMSolverMultistepScheduler,
        {"algorithm_type": "sde-dpmsolver++"},
    ),
    "unipc_3": (diffusers.UniPCMultistepScheduler, {"solver_order": 3}),
    "deis": (diffusers.DEISMultistepScheduler, {}),
    "sa": (diffusers.SASolverScheduler, {}),
    "lcm": (diffusers.LCMScheduler, {}),
    "tcd": (diffusers.TCDScheduler, {}),
}


def model(latent, timestep):
    """A cheap model that is neither linear nor blind to time."""
    return torch.tanh(latent.roll(1, -1) * 0.7 + float(timestep) / 1000)


def by_diffusers(scheduler, start, eta, seed):
    """All latents of a trajectory, as a pipeline makes them."""
    scheduler.set_timesteps(STEPS)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(start)
    generator = torch.Generator().manual_seed(seed)
    known = scheduler.step.__func__.__code__.co_varnames
    options = {"eta": eta, "generator": generator}
    step = partial(scheduler.step, **{name: options[name] for name in options if name in known})
    latent = torch.randn(1, 4, 8, 8, generator=generator) * scheduler.init_noise_sigma
    latents = []
    for timestep in scheduler.timesteps[start:]:
        output = model(scheduler.scale_model_input(latent, timestep), timestep)
        latent = step(output, timestep, latent, return_dict=False)[0]
        latents.append(latent)
    return torch.cat(latents)


def by_matrices(trajectory, seed):
    """The same, by our matrices."""
    generator = torch.Generator().manual_seed(seed)
    state = torch.zeros(1 + trajectory.registers, 4, 8, 8, dtype=torch.float64)
    state[0] = torch.randn(4, 8, 8, generator=generator) * trajectory.initial_scale
    latents = []
    for tick, draws in enumerate(trajectory.draws):
        output = model(state[0] * trajectory.input_scale[tick], trajectory.timesteps[tick])
        noise = torch.randn(4, 8, 8, generator=generator) if draws else torch.zeros(4, 8, 8)
        basis = torch.cat([state, output[None], noise[None]])
        state = torch.einsum("ij,jchw->ichw", trajectory.matrices[tick], basis)
        latents.append(state[0])
    return torch.stack(latents)


def assert_equal_trajectories(make, start, eta):
    expected = by_diffusers(make(), start, eta, seed=5)
    trajectory = probe(make(), STEPS, start, eta)
    found = by_matrices(trajectory, seed=5)

    assert len(found) == len(expected)
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
    return trajectory


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("start", [0, 7, STEPS - 1])
@pytest.mark.parametrize(("sampler", "schedule"), NAMED)
def test_named_samplers(sampler, schedule, start, prediction_type):
    config = {**MODEL, "prediction_type": prediction_type}

    assert_equal_trajectories(lambda: make_scheduler(config, sampler, schedule), start, eta=0.6)


@pytest.mark.parametrize("spacing", ["leading", "linspace", "trailing"])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_spacings_and_zero_terminal_signal(sampler, spacing):
    config = {
        **MODEL,
        "timestep_spacing": spacing,
        "prediction_type": "v_prediction",
        "rescale_betas_zero_snr": True,
    }

    assert_equal_trajectories(lambda: make_scheduler(config, sampler, "default"), 0, eta=0.0)


@pytest.mark.parametrize("start", [0, 6])
@pytest.mark.parametrize("name", OTHERS)
def test_other_schedulers(name, start):
    kind, options = OTHERS[name]

    trajectory = assert_equal_trajectories(
        lambda: kind.from_config(dict(MODEL), **options), start, eta=0.3
    )
    assert trajectory.registers <= 4


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@pytest.mark.parametrize(("sampler", "schedule"), NAMED)
def test_the_clean_row_undoes_the_noising_row(sampler, schedule, prediction_type):
    config = {**MODEL, "prediction_type": prediction_type}
    trajectory = probe(make_scheduler(config, sampler, schedule), STEPS)
    clean, noise = torch.randn(2, 4, 8, 8, dtype=torch.float64).unbind()

    for tick in range(STEPS):
        a, b = trajectory.noising[tick]
        noised = a * clean + b * noise
        # What a perfect model would say; it sees signal and noise of unit variance together.
        scale = trajectory.input_scale[tick]
        assert (scale * a) ** 2 + (scale * b) ** 2 == pytest.approx(1, abs=1e-4)
        output = noise if prediction_type == "epsilon" else scale * (a * noise - b * clean)
        latent_part, output_part = trajectory.clean[tick]
        found = latent_part * noised + output_part * output
        torch.testing.assert_close(found, clean, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("sampler", ["euler", "euler_a", "ddim"])
def test_the_clean_row_is_what_diffusers_predicts(sampler):
    scheduler = make_scheduler({**MODEL, "prediction_type": "v_prediction"}, sampler, "default")
    trajectory = probe(scheduler, STEPS)
    scheduler = make_scheduler({**MODEL, "prediction_type": "v_prediction"}, sampler, "default")
    scheduler.set_timesteps(STEPS)
    latent, output = torch.randn(2, 1, 4, 8, 8, dtype=torch.float64).unbind()

    for tick, timestep in enumerate(scheduler.timesteps):
        scheduler.scale_model_input(latent, timestep)
        expected = scheduler.step(output, timestep, latent).pred_original_sample
        latent_part, output_part = trajectory.clean[tick]
        torch.testing.assert_close(
            latent_part * latent + output_part * output, expected, rtol=1e-5, atol=1e-5
        )


def test_clipping_is_refused():
    with pytest.raises(ValueError, match="not linear"):
        probe(diffusers.DDIMScheduler(clip_sample=True), STEPS)


def test_a_method_without_a_finite_trajectory_is_refused():
    # Noise cannot be told from a latent that has no signal at all.
    config = {**MODEL, "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}

    with pytest.raises(ValueError, match="finite"):
        probe(make_scheduler(config, "ddim", "default"), STEPS)


def test_two_draws_in_a_step_are_refused():
    class TwiceDrawing(diffusers.DDPMScheduler):
        def step(self, *arguments, **options):
            torch.randn(1)
            return super().step(*arguments, **options)

    with pytest.raises(ValueError, match="more than one noise"):
        probe(TwiceDrawing(clip_sample=False), STEPS)


def test_the_thread_beside_it_draws_its_own_noise():
    drawn = []

    class Watched(diffusers.DDPMScheduler):
        def step(self, *arguments, **options):
            thread = threading.Thread(target=lambda: drawn.append(torch.randn(3)))
            thread.start()
            thread.join()
            return super().step(*arguments, **options)

    probe(Watched(clip_sample=False), 2)

    assert [noise.shape for noise in drawn] == [(3,), (3,)]
