"""Every sampler against its diffusers scheduler, whole trajectories on the same model."""

import pytest
import torch

from tests.trajectories import (
    FLOW,
    SHAPE,
    STARTS,
    STEPS,
    by_diffusers,
    by_table,
    fresh_scheduler,
    fresh_table,
    largest_difference,
    model,
    model_config,
)
from worker.samplers.catalog import SAMPLERS
from worker.samplers.noise import draw_noise
from worker.samplers.tables import COLUMNS, PLANES
from worker.samplers.update import advance

LARGEST = 1e-5
METHODS = [(name, schedule) for name, one in SAMPLERS.items() for schedule in one.schedules]
KINDS = [
    (name, schedule, kind)
    for name, schedule in METHODS
    for kind in ("epsilon", "v_prediction")
    if SAMPLERS[name].prediction == "diffusion" or kind == "epsilon"
]
ZERO_TERMINAL = [name for name, one in SAMPLERS.items() if one.knows("rescale_betas_zero_snr")]


@pytest.mark.parametrize(("sampler", "schedule", "kind"), KINDS)
def test_schedules_predictions_and_starts(sampler, schedule, kind):
    config = model_config(sampler, kind)
    for start in STARTS:
        assert largest_difference(config, sampler, schedule, start) <= LARGEST


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_without_noise_of_its_own_and_an_even_number_of_steps(sampler):
    config = model_config(sampler)
    expected = by_diffusers(fresh_scheduler(config, sampler), STEPS + 1, eta=0.0)
    found = by_table(fresh_table(config, sampler, steps=STEPS + 1, eta=0.0))
    assert (found - expected).abs().max() <= LARGEST * expected.abs().max()


# The two that cannot be copied from one prototype for all spacings take a second each.
@pytest.mark.parametrize("spacing", ["linspace", "trailing"])
@pytest.mark.parametrize("sampler", sorted(set(SAMPLERS) - {"dpm2", "dpm2_a"}))
def test_spacings(sampler, spacing):
    config = {**model_config(sampler), "timestep_spacing": spacing}
    assert largest_difference(config, sampler) <= LARGEST


@pytest.mark.parametrize("spacing", ["leading", "trailing"])
@pytest.mark.parametrize("sampler", ZERO_TERMINAL)
def test_zero_terminal_signal(sampler, spacing):
    config = {
        **model_config(sampler, "v_prediction"),
        "timestep_spacing": spacing,
        "rescale_betas_zero_snr": True,
    }
    assert largest_difference(config, sampler) <= LARGEST


@pytest.mark.parametrize("sampler", ["euler", "ddim", "dpmpp_2m", "unipc", "lcm"])
def test_a_model_that_predicts_the_clean_latent(sampler):
    assert largest_difference(model_config(sampler, "sample"), sampler) <= LARGEST


def test_all_samplers_in_one_batch_have_the_bits_that_each_has_alone():
    tables = [
        fresh_table(model_config(name), name, schedule, steps=3 + index % 4)
        for index, (name, schedule) in enumerate(METHODS)
    ]
    noises = [draw_noise(5, SHAPE, table.draws) for table in tables]
    registers = max(table.registers for table in tables)
    planes = torch.zeros(len(tables), 1 + registers, *SHAPE)
    for index, table in enumerate(tables):
        planes[index, 0] = noises[index][0] * table.initial_scale
    found = {}
    for tick in range(max(table.ticks for table in tables)):
        left = [index for index, table in enumerate(tables) if tick < table.ticks]
        lines = torch.stack([tables[index].lines[tick] for index in left])
        noise = {
            place: noises[index][tables[index].noise_index[tick]]
            for place, index in enumerate(left)
        }
        latents = planes[left, 0]
        output = torch.stack(
            [
                model((latent * line[1])[None], line[0])[0]
                for latent, line in zip(latents, lines, strict=True)
            ]
        )
        planes[left] = advance(planes[left], output, noise, lines[:, 2:].view(-1, PLANES, COLUMNS))
        found.update({index: planes[index, 0].clone() for index in left})

    assert {table.registers for table in tables} == {0, 1, 2, 3}
    for index, table in enumerate(tables):
        assert torch.equal(found[index], by_table(table)[-1])


def test_flow_matching_starts_from_noise_alone():
    table = fresh_table(FLOW, "flow_euler")
    assert table.initial_scale == 1
    assert table.noising[0].tolist() == pytest.approx([0, 1], abs=1e-3)
