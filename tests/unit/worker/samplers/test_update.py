"""The batched update: equal to each sample's own, in value and in bits."""

import pytest
import torch

from worker.samplers.tables import COLUMNS, NOISE, PLANES
from worker.samplers.update import advance_each, advance_together, guide

SAMPLES = 7

both_ways = pytest.mark.parametrize("advance", [advance_each, advance_together])


def make_batch(side):
    """Planes, prediction, noise and matrices of samples that use every register."""
    generator = torch.Generator().manual_seed(0)
    planes = torch.randn(SAMPLES, PLANES, 4, side, side, generator=generator)
    prediction = torch.randn(SAMPLES, 4, side, side, generator=generator)
    noise = torch.randn(SAMPLES, 4, side, side, generator=generator)
    matrices = torch.randn(SAMPLES, PLANES, COLUMNS, generator=generator)
    return planes, prediction, noise, matrices


def test_guidance_is_each_sample_s_own():
    conditional, negative = torch.randn(2, 3, 2, 4, 4).unbind()
    negative[2] = conditional[2]  # not guided

    mixed = guide(conditional, negative, torch.tensor([7.5, 4.0, 7.5]))

    for sample, scale in enumerate([7.5, 4.0]):
        expected = negative[sample] + scale * (conditional[sample] - negative[sample])
        torch.testing.assert_close(mixed[sample], expected)
    assert torch.equal(mixed[2], conditional[2])


@both_ways
@pytest.mark.parametrize("side", [3, 8, 32])
def test_an_update_is_the_matrix_product(side, advance):
    planes, prediction, noise, matrices = make_batch(side)

    advanced = advance(planes, prediction, dict(enumerate(noise)), matrices)

    for i in range(SAMPLES):
        basis = torch.cat([planes[i], prediction[i : i + 1], noise[i : i + 1]]).double()
        expected = torch.einsum("ij,jchw->ichw", matrices[i].double(), basis)
        torch.testing.assert_close(advanced[i].double(), expected, rtol=1e-5, atol=1e-5)


@both_ways
@pytest.mark.parametrize("side", [3, 8, 32])
def test_an_update_has_the_same_bits_whatever_the_company(side, advance):
    planes, prediction, noise, matrices = make_batch(side)
    # One register and no noise would be enough for this sample.
    planes[3, 2:] = 0
    matrices[3, 2:] = 0
    matrices[3, :, 2:PLANES] = 0
    matrices[3, :, NOISE] = 0

    together = advance(planes, prediction, dict(enumerate(noise)), matrices)

    for i in range(SAMPLES):
        one = slice(i, i + 1)
        alone = advance(planes[one], prediction[one], {0: noise[i]}, matrices[one])
        assert torch.equal(together[one], alone)
    one = slice(3, 4)
    lean = advance(planes[one, :2], prediction[one], {}, matrices[one])
    assert torch.equal(together[one, :2], lean)
