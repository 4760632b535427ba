"""The batched update: equal to each sample's own, in value and in bits."""

import pytest
import torch

from worker.samplers.update import advance, guide


def test_guidance_is_each_sample_s_own():
    conditional, negative = torch.randn(2, 3, 2, 4, 4).unbind()
    negative[2] = conditional[2]  # not guided

    mixed = guide(conditional, negative, torch.tensor([7.5, 4.0, 7.5]))

    for sample, scale in enumerate([7.5, 4.0]):
        expected = negative[sample] + scale * (conditional[sample] - negative[sample])
        assert torch.equal(mixed[sample], expected)
    assert torch.equal(mixed[2], conditional[2])


@pytest.mark.parametrize("side", [3, 8, 32])
def test_an_update_has_the_same_bits_whatever_the_company(side):
    generator = torch.Generator().manual_seed(0)
    state = torch.randn(7, 5, 4, side, side, generator=generator)
    prediction = torch.randn(7, 4, side, side, generator=generator)
    noise = torch.randn(7, 4, side, side, generator=generator)
    matrices = torch.randn(7, 5, 7, generator=generator)

    together = advance(state, prediction, noise, matrices)

    for i in range(7):
        one = slice(i, i + 1)
        alone = advance(state[one], prediction[one], noise[one], matrices[one])
        assert torch.equal(together[one], alone)
        basis = torch.cat([state[i], prediction[one], noise[one]]).double()
        expected = torch.einsum("ij,jchw->ichw", matrices[i].double(), basis)
        torch.testing.assert_close(together[i].double(), expected, rtol=1e-5, atol=1e-5)
