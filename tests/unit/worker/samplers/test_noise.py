"""Noise: what a diffusers script would draw."""

import torch

from worker.samplers.noise import draw_noise


def test_draws_follow_each_other_as_in_a_diffusers_script():
    # A shape that is no multiple of sixteen, where one large draw would differ.
    shape = (4, 3, 5)
    generator = torch.Generator("cpu").manual_seed(7)
    expected = [torch.randn((1, *shape), generator=generator)[0] for _ in range(3)]

    noise = draw_noise(7, shape, 3)

    assert torch.equal(noise, torch.stack(expected))
    assert torch.equal(draw_noise(7, shape, 1)[0], noise[0])
    assert not torch.equal(draw_noise(8, shape, 1)[0], noise[0])
