"""What a file says of pictures, controls and passes that went into it."""

import json

from shared.request import Control, Hires, InputRef
from tests.tiny_request import tiny_request
from worker.parameters import as_json, parameters

REF = InputRef(id="in_1", width=64, height=64)


def test_a_plain_request_says_nothing_of_options():
    request = tiny_request()

    assert "Denoising strength" not in parameters(request, 0)
    assert not json.loads(as_json(request, 0))["request"].keys() & {"image", "strength", "hires"}


def test_pictures_are_named_and_options_have_automatic1111s_words():
    canny = Control(type="canny", image=REF, scale=0.8, end=0.5, preprocess=True)
    request = tiny_request(
        image=REF,
        strength=0.6,
        controls=(canny,),
        hires=Hires(scale=1.5, strength=0.4, steps=10),
        clip_skip=1,
    )

    line = parameters(request, 0).splitlines()[-1]
    facts = json.loads(as_json(request, 0))["request"]

    for expected in (
        "Clip skip: 2",
        "Denoising strength: 0.6",
        "Hires upscale: 1.5",
        "Hires steps: 10",
        'ControlNet 0: "Module: canny, Model: canny, Weight: 0.8, Guidance Start: 0, '
        'Guidance End: 0.5"',
    ):
        assert expected in line
    assert facts["image"] == {"id": "in_1", "width": 64, "height": 64}
    assert (facts["strength"], facts["hires"]["scale"]) == (0.6, 1.5)


def test_the_models_own_schedule_is_not_left_to_the_reader():
    assert "Schedule type: Uniform" in parameters(tiny_request(schedule="default"), 0)
