"""The probe: what it reads besides the steps, and what it refuses."""

import threading

import diffusers
import pytest
import torch

from tests.trajectories import SHAPE, STEPS, fresh_scheduler, model_config
from worker.samplers.catalog import SAMPLERS
from worker.samplers.noise import draw_noise
from worker.samplers.probe import probe

KINDS = [
    (name, kind)
    for name, one in SAMPLERS.items()
    for kind in ("epsilon", "v_prediction")
    if one.prediction == "diffusion" or kind == "epsilon"
]
# They end at the noise level of the first timestep, not at zero, or lack what came before a start.
LEAVING_NOISE = {"pndm", "deis", "sa", "tcd", "lms"}


def perfect_output(kind, clean, noise, a, b, scale):
    """What a perfect model says of a latent a * clean + b * noise."""
    return {
        "epsilon": noise,
        # It sees signal and noise of unit variance together.
        "v_prediction": scale * (a * noise - b * clean),
        "flow_prediction": noise - clean,
        "sample": clean,
    }[kind]


@pytest.mark.parametrize(("sampler", "kind"), [*KINDS, ("euler", "sample"), ("ddim", "sample")])
def test_the_clean_row_undoes_the_noising_row(sampler, kind):
    scheduler = fresh_scheduler(model_config(sampler, kind), sampler)
    kind = scheduler.config.prediction_type
    trajectory = probe(scheduler, STEPS)
    clean, noise = draw_noise(1, SHAPE, 2).double().unbind()

    for tick, (a, b) in enumerate(trajectory.noising):
        noised = a * clean + b * noise
        scale = trajectory.input_scale[tick]
        if kind != "flow_prediction":
            assert (scale * a) ** 2 + (scale * b) ** 2 == pytest.approx(1, abs=1e-4)
        output = perfect_output(kind, clean, noise, a, b, scale)
        latent_part, output_part = trajectory.clean[tick]
        found = latent_part * noised + output_part * output
        torch.testing.assert_close(found, clean, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("sampler", "kind"), KINDS)
def test_a_perfect_model_leads_to_the_clean_latent_from_any_start(sampler, kind):
    # The start row, the steps and the clean row agree on how much noise there is at each tick.
    prototype = fresh_scheduler(model_config(sampler, kind), sampler)
    kind, order = prototype.config.prediction_type, prototype.order
    for start in (0, 3):
        scheduler = fresh_scheduler(model_config(sampler, kind), sampler)
        trajectory = probe(scheduler, STEPS, start * order)
        clean, noise = draw_noise(1, SHAPE, 2).double().unbind()
        state = torch.zeros(1 + trajectory.registers, *SHAPE, dtype=torch.float64)
        a, b = trajectory.noising[0]
        state[0] = a * clean + b * noise
        for tick, (a, b) in enumerate(trajectory.noising):
            left = (state[0] - a * clean) / b
            output = perfect_output(kind, clean, left, a, b, trajectory.input_scale[tick])
            fresh = torch.zeros(SHAPE, dtype=torch.float64)
            basis = torch.cat([state, output[None], fresh[None]])
            state = torch.einsum("ij,jchw->ichw", trajectory.matrices[tick], basis)

        assert (state[0] - clean).abs().max() <= (0.3 if sampler in LEAVING_NOISE else 1e-6)


@pytest.mark.parametrize(
    "sampler", ["euler", "euler_a", "heun", "dpm2", "dpm2_a", "lms", "ddim", "ddpm"]
)
def test_the_clean_row_is_what_diffusers_predicts(sampler):
    config = model_config(sampler, "v_prediction")
    trajectory = probe(fresh_scheduler(config, sampler), STEPS)
    scheduler = fresh_scheduler(config, sampler)
    scheduler.set_timesteps(STEPS)
    latent, output = torch.randn(2, 1, *SHAPE, dtype=torch.float64).unbind()

    for tick, timestep in enumerate(scheduler.timesteps):
        scheduler.scale_model_input(latent, timestep)
        expected = scheduler.step(output, timestep, latent, return_dict=False)[1]
        latent_part, output_part = trajectory.clean[tick]
        torch.testing.assert_close(
            latent_part * latent + output_part * output, expected, rtol=1e-5, atol=1e-5
        )


def test_clipping_is_refused():
    with pytest.raises(ValueError, match="not linear"):
        probe(diffusers.DDIMScheduler(clip_sample=True), STEPS)


def test_a_method_without_a_finite_trajectory_is_refused():
    # Noise cannot be told from a latent that has no signal at all.
    config = {
        **model_config("ddim"),
        "rescale_betas_zero_snr": True,
        "timestep_spacing": "trailing",
    }

    with pytest.raises(ValueError, match="finite"):
        probe(fresh_scheduler(config, "ddim"), STEPS)


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
