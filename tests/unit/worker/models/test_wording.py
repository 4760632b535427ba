"""What a client is told about its prompts."""

from tests.tiny_request import tiny_request
from worker.models.wording import encode_wording


def notes(model, **changes):
    return list(encode_wording(model.text, tiny_request(**changes)).notes)


def test_an_ordinary_prompt_needs_no_word(model):
    assert notes(model, prompt="a (red:1.2) BREAK [apple]") == []


def test_a_bracket_without_its_partner_is_told(model):
    assert notes(model, prompt=":( sad (") == [
        ("unbalanced_parentheses", "brackets without a partner in the prompt, which are text: 2")
    ]


def test_weights_beyond_use_are_limited(model):
    assert notes(model, prompt="((red:30):2) (apple:-31) (leaf:30)") == [
        ("weight_limited", "weights of the prompt beyond 30, which count as 30: 2")
    ]


def test_a_prompt_of_hundreds_of_chunks_is_cut(model):
    wording = encode_wording(model.text, tiny_request(prompt="a BREAK " * 500))

    assert wording.chunks[0] == 32
    assert wording.notes == (
        ("prompt_cut", "the prompt fills 500 chunks; only the first 32 count"),
    )


def test_more_layers_than_there_are_cannot_be_skipped(model):
    ((code, detail),) = notes(model, clip_skip=12)

    assert code == "clip_skip_limited"
    assert detail.startswith("clip_skip is 2")


def test_without_guidance_there_is_no_negative_prompt(model):
    wording = encode_wording(model.text, tiny_request(guidance_scale=1.0, negative_prompt=":("))

    assert wording.negative is None
    assert wording.notes == ()
