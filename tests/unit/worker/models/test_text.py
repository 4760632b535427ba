"""Prompts: CLIP's own encoding where they fit, chunks where they do not, nothing cut."""

import pytest
import torch
from transformers import CLIPTextModel, CLIPTokenizer

from worker.models.text import stack_contexts

TOKENS = 75


@pytest.fixture
def tokenizer(tiny_path):
    return CLIPTokenizer.from_pretrained(tiny_path / "tokenizer")


@pytest.fixture
def clip(tiny_path):
    return CLIPTextModel.from_pretrained(tiny_path / "text_encoder").eval()


@pytest.mark.parametrize("prompt", ["", "a red apple", "苹果 🍎", "x" * TOKENS, "a\n\tb"])
def test_a_prompt_that_fits_is_encoded_as_diffusers_does(model, tokenizer, clip, prompt):
    ids = tokenizer(prompt, padding="max_length", return_tensors="pt").input_ids
    with torch.inference_mode():
        expected = clip(ids)[0][0]

    context = model.text.encode(prompt)

    assert ids.shape == (1, TOKENS + 2)
    torch.testing.assert_close(context.states, expected)
    assert (context.chunks, context.padding) == (1, 0)


@pytest.mark.parametrize(
    ("letters", "chunks", "padding"), [(76, 2, 0), (151, 3, 1), (300, 4, 0), (301, 5, 3)]
)
def test_a_longer_prompt_is_chunked(model, letters, chunks, padding):
    context = model.text.encode("x" * letters)

    assert (context.tokens, context.chunks, context.padding) == (letters, chunks, padding)
    assert context.states.shape[0] == (chunks + padding) * (TOKENS + 2)
    assert not context.states[chunks * (TOKENS + 2) :].any()


def test_chunks_are_encoded_one_by_one(model):
    parts = [model.text.encode("x " * TOKENS).states, model.text.encode("x " * 5).states]

    torch.testing.assert_close(model.text.encode("x " * (TOKENS + 5)).states, torch.cat(parts))


def test_shorter_contexts_are_repeated_and_padding_is_masked(model):
    one, two, three = (model.text.encode("x" * letters) for letters in (10, 100, 200))

    states, mask = stack_contexts([one, two])
    assert mask is None
    assert torch.equal(states[0], one.states.repeat(2, 1))

    states, mask = stack_contexts([one, two, three])
    length = TOKENS + 2
    assert mask.sum(1).tolist() == [4 * length, 4 * length, 3 * length]
    assert mask[2, : 3 * length].all()
    assert torch.equal(states[1], two.states.repeat(2, 1))


def test_a_prompt_is_encoded_once(model):
    hits, misses = model.text.cache_hits_and_misses

    first, second = model.text.encode("only here"), model.text.encode("only here")

    assert first is second
    assert model.text.cache_hits_and_misses == (hits + 1, misses + 1)
