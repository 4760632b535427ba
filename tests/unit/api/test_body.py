"""The body: what is legal, and what pydantic must not let through."""

import pytest

from api.body import JobBody
from api.json_body import parse_json
from shared.errors import InvalidBody, InvalidRequest
from shared.request import OutputFormat, Priority


def parse(text: str) -> JobBody:
    return parse_json(JobBody, text.encode())


def test_a_prompt_is_enough():
    body = parse('{"prompt": "a red apple"}')
    assert body.num_images == 1
    assert body.priority is Priority.NORMAL
    assert body.seed is None


def test_everything():
    body = parse(
        '{"prompt": "a", "negative_prompt": "b", "model": "m", "width": 64, "height": 64,'
        '"num_images": 8, "steps": 150, "guidance_scale": 30, "sampler": "euler",'
        '"schedule": "karras", "eta": 1, "seed": 4294967295, "output": {"format": "webp",'
        '"quality": 100}, "priority": "high", "deadline_seconds": 0.5, "reproducible": true,'
        '"metadata": {"k": "v"}}'
    )
    assert body.output is not None
    assert body.output.format is OutputFormat.WEBP
    assert body.guidance_scale == 30.0


def test_newlines_and_tabs_count_as_spaces():
    assert parse(r'{"prompt": "a\nred\r\n\tapple"}').prompt == "a red   apple"


def test_the_longest_prompt_is_taken():
    assert len(parse('{"prompt": "' + "é" * 4000 + '"}').prompt) == 4000


def test_the_input_is_in_no_traceback():
    with pytest.raises(InvalidRequest) as caught:
        parse('{"prompt": ["secret"]}')
    assert caught.value.__cause__ is None
    assert "secret" not in str(caught.value.errors)


def test_what_is_not_json():
    with pytest.raises(InvalidBody):
        parse('{"prompt": "a",}')
