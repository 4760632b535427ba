"""Prompts: CLIP's own encoding where they fit, chunks where they do not, nothing cut."""

import pytest
import torch
from transformers import CLIPTextModel, CLIPTokenizer

from tests.tiny_request import tiny_request
from worker.models.clip import weigh
from worker.models.prompt import parse_prompt
from worker.models.wording import encode_wording

TOKENS = 75


@pytest.fixture
def tokenizer(tiny_path):
    return CLIPTokenizer.from_pretrained(tiny_path / "tokenizer")


@pytest.fixture
def clip(tiny_path):
    return CLIPTextModel.from_pretrained(tiny_path / "text_encoder").eval()


@pytest.fixture
def encode(model):
    def encode(text, clip_skip=0):
        return model.text.encode(parse_prompt(text), clip_skip)

    return encode


@pytest.fixture
def lookups(model):
    """For each prompt that is encoded, whether it was there already."""
    found = []
    model.text.observe = found.append
    yield found
    model.text.observe = lambda hit: None


@pytest.mark.parametrize("prompt", ["", "a red apple", "苹果 🍎", "x" * TOKENS, "a\n\tb"])
def test_a_prompt_that_fits_is_encoded_as_diffusers_does(encode, tokenizer, clip, prompt):
    ids = tokenizer(prompt, padding="max_length", return_tensors="pt").input_ids
    with torch.inference_mode():
        expected = clip(ids)[0][0]

    context = encode(prompt)

    assert ids.shape == (1, TOKENS + 2)
    torch.testing.assert_close(context.states, expected)
    assert (context.chunks, context.padding) == (1, 0)


@pytest.mark.parametrize("clip_skip", [1, 2])
def test_layers_are_skipped_as_diffusers_does(encode, tokenizer, clip, clip_skip):
    ids = tokenizer("a red apple", padding="max_length", return_tensors="pt").input_ids
    with torch.inference_mode():
        hidden = clip(ids, output_hidden_states=True).hidden_states
        expected = clip.final_layer_norm(hidden[-1 - clip_skip])[0]

    torch.testing.assert_close(encode("a red apple", clip_skip).states, expected)


@pytest.mark.parametrize(("letters", "chunks"), [(76, 2), (151, 3), (300, 4), (301, 5)])
def test_a_longer_prompt_is_chunked(encode, letters, chunks):
    context = encode("x" * letters)

    assert (context.tokens, context.chunks, context.parts) == (letters, chunks, 1)


def test_chunks_are_encoded_one_by_one(encode):
    parts = [encode("x " * TOKENS).states, encode("x " * 5).states]

    torch.testing.assert_close(encode("x " * (TOKENS + 5)).states, torch.cat(parts))


def test_a_break_begins_a_chunk(encode):
    context = encode("a BREAK BREAK b")

    assert (context.chunks, context.parts, context.tokens) == (2, 2, 2)
    torch.testing.assert_close(context.states, torch.cat([encode("a").states, encode("b").states]))


def test_a_weight_multiplies_its_tokens_and_the_mean_stays(encode):
    plain, weighted = encode("a red apple").states, encode("a (red:1.5) apple").states

    assert weighted.mean() == pytest.approx(plain.mean().item(), abs=1e-6 * plain.std().item())
    # Marks first: start, a, r, e, d, a, ...
    factors = (weighted / plain).median(1).values
    assert factors[2:5] == pytest.approx([1.5 * factors[0].item()] * 3, rel=1e-4)
    others = torch.cat([factors[:2], factors[5:]])
    assert others == pytest.approx([factors[0].item()] * len(others), rel=1e-4)


@pytest.mark.parametrize(("mean", "kept"), [(-0.1, True), (1e-4, False), (0.0, False)])
def test_a_mean_is_kept_where_there_is_one(mean, kept):
    pairs = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    states = torch.cat([pairs, -pairs], dim=1) + mean
    weights = (1.0, 1.0, 2.0, 0.5, 0.5, 1.0)

    weighted = weigh(states, weights)

    if kept:
        assert weighted.mean().item() == pytest.approx(mean, rel=1e-4)
        assert (weighted / states).std(1) == pytest.approx([0] * 6, abs=1e-6)
    else:
        assert torch.equal(weighted, states * torch.tensor(weights)[:, None])


def test_weights_of_one_change_nothing(encode):
    assert torch.equal(encode("a (red:1.0) apple").states, encode("a red apple").states)


def test_a_prompt_is_encoded_once(encode, lookups):
    first, second = encode("only here"), encode("(only here:1)")

    assert first is second
    assert lookups == [False, True]


def test_both_prompts_skip_layers(model, encode):
    request = tiny_request(negative_prompt="dark", clip_skip=1)

    negative = encode_wording(model.text, request).negative

    assert torch.equal(negative.states, encode("dark", 1).states)
    assert not torch.equal(negative.states, encode("dark").states)


def test_another_layer_is_another_encoding(encode, lookups):
    encode("only here too")
    encode("only here too", 1)

    assert lookups == [False, False]
