"""Sampler tables: packed for a mixed batch, cached, and equal to what was probed."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from shared.errors import SamplerUnsuited
from tests.trajectories import FLOW
from worker.samplers.catalog import make_scheduler
from worker.samplers.probe import probe
from worker.samplers.tables import COLUMNS, PLANES, SamplerTables, build_table

MODEL = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


@pytest.mark.parametrize("sampler", ["euler", "heun", "lms", "ddim", "unipc", "sa", "lcm"])
def test_a_table_holds_the_trajectory(sampler):
    table = build_table(MODEL, sampler, "default", 10, start=4, eta=0.5)
    trajectory = probe(make_scheduler(MODEL, sampler, "default"), 10, start=4, eta=0.5)

    assert table.ticks == len(trajectory.timesteps)
    matrices = table.lines[:, 2:].view(-1, PLANES, COLUMNS)
    planes = 1 + trajectory.registers
    torch.testing.assert_close(
        matrices[:, :planes, :planes], trajectory.matrices[:, :, :-2].float()
    )
    torch.testing.assert_close(matrices[:, :planes, -2:], trajectory.matrices[:, :, -2:].float())
    assert not matrices[:, planes:].any()
    assert not matrices[:, :, planes:PLANES].any()
    assert torch.equal(table.lines[:, 0], trajectory.timesteps.float())
    assert torch.equal(table.lines[:, 1], trajectory.input_scale.float())


def test_draws_are_counted_after_the_initial_noise():
    assert build_table(MODEL, "euler", "default", 4).noise_index == (0, 0, 0, 0)
    assert build_table(MODEL, "euler", "default", 4).draws == 1
    assert build_table(MODEL, "euler_a", "default", 4).noise_index == (1, 2, 3, 4)
    assert build_table(MODEL, "euler_a", "default", 4).draws == 5


@pytest.mark.parametrize(
    ("config", "sampler", "schedule", "reason"),
    [
        (MODEL, "dpmpp_sde", "default", "no sampler 'dpmpp_sde'"),
        (MODEL, "ddim", "karras", "the schedule 'karras'"),
        (MODEL, "flow_euler", "default", "models of the kind 'diffusion'"),
        (FLOW, "euler", "default", "models of the kind 'flow'"),
        ({**MODEL, "prediction_type": "flow_prediction"}, "euler", "default", "kind 'flow'"),
        ({**FLOW, "use_dynamic_shifting": True}, "flow_euler", "default", "`mu`"),
        ({**MODEL, "_class_name": "EDMEulerScheduler"}, "euler", "default", "EDM"),
        ({**MODEL, "rescale_betas_zero_snr": True}, "heun", "default", "without signal"),
        ({**MODEL, "prediction_type": "sample"}, "dpm2", "default", "not implemented"),
    ],
)
def test_what_does_not_fit_fails_the_job_with_its_reason(config, sampler, schedule, reason):
    with pytest.raises(SamplerUnsuited, match=reason) as caught:
        SamplerTables(config).get(sampler, schedule, 4)
    assert not caught.value.retryable


def test_a_start_counts_ticks():
    whole = build_table(MODEL, "heun", "default", 6)
    late = build_table(MODEL, "heun", "default", 6, start=4)
    assert (whole.ticks, late.ticks) == (11, 7)
    assert torch.equal(late.lines[:, 0], whole.lines[4:, 0])
    assert torch.equal(late.noising, whole.noising[4:])


def test_the_shift_of_a_flow_model_has_two_names():
    config = {"_class_name": "UniPCMultistepScheduler", "prediction_type": "flow_prediction"}
    solver = build_table({**config, "flow_shift": 3.0}, "flow_euler", "default", 4)
    assert torch.equal(solver.lines, build_table(FLOW, "flow_euler", "default", 4).lines)


def test_a_table_is_built_once_whoever_asks():
    tables = SamplerTables(MODEL)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: tables.get("unipc", "karras", 12), range(8)))

    assert len({id(table) for table in found}) == 1
    assert tables.get("unipc", "karras", 12, start=1) is not found[0]
