"""Contexts of unlike lengths as one batch."""

import pytest
import torch

from worker.models.context import Context, padded_context, stack_contexts, stack_pooled

LENGTH, WIDTH = 77, 3


def context(chunks):
    states = [torch.randn(LENGTH, WIDTH) for _ in range(chunks)]
    return padded_context(states, tokens=75 * chunks, parts=1, left_out=0, pooled=torch.randn(5))


@pytest.mark.parametrize(("chunks", "padding"), [(1, 0), (2, 0), (3, 1), (4, 0), (5, 3)])
def test_a_context_is_filled_up_to_a_power_of_two(chunks, padding):
    found = context(chunks)

    assert (found.chunks, found.padding) == (chunks, padding)
    assert found.states.shape == ((chunks + padding) * LENGTH, WIDTH)
    assert not found.states[chunks * LENGTH :].any()


def test_shorter_contexts_are_repeated_and_padding_is_masked():
    one, two, three = (context(chunks) for chunks in (1, 2, 3))

    states, mask = stack_contexts([one, two])
    assert mask is None
    assert torch.equal(states[0], one.states.repeat(2, 1))

    states, mask = stack_contexts([one, two, three])
    assert mask.sum(1).tolist() == [4 * LENGTH, 4 * LENGTH, 3 * LENGTH]
    assert mask[2, : 3 * LENGTH].all()
    assert torch.equal(states[1], two.states.repeat(2, 1))


def test_pooled_vectors_are_stacked_where_there_are_any():
    one, two = context(1), context(2)

    assert torch.equal(stack_pooled([one, two]), torch.stack([one.pooled, two.pooled]))
    assert stack_pooled([Context(one.states, 1, 0, 3)]) is None


def test_zeros_keep_the_shape():
    one = context(3)

    zeros = one.zeros()

    assert zeros.states.shape == one.states.shape
    assert zeros.padding == one.padding
    assert not zeros.states.any()
    assert not zeros.pooled.any()
