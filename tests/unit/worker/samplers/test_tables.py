"""Sampler tables: packed for a mixed batch, cached, and equal to what was probed."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from worker.samplers.catalog import SAMPLERS, make_scheduler
from worker.samplers.probe import probe
from worker.samplers.tables import COLUMNS, PLANES, SamplerTables, build_table

MODEL = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_table_holds_the_trajectory(sampler):
    table = build_table(MODEL, sampler, "default", 10, start=3, eta=0.5)
    trajectory = probe(make_scheduler(MODEL, sampler, "default"), 10, start=3, eta=0.5)

    assert table.ticks == 7
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


def test_unknown_names_and_pairs_are_refused():
    with pytest.raises(KeyError):
        build_table(MODEL, "heun", "default", 4)
    with pytest.raises(KeyError):
        build_table(MODEL, "ddim", "karras", 4)


def test_a_table_is_built_once_whoever_asks():
    tables = SamplerTables(MODEL)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: tables.get("unipc", "karras", 12), range(8)))

    assert len({id(table) for table in found}) == 1
    assert tables.get("unipc", "karras", 12, start=1) is not found[0]
