"""Input pictures, LoRAs, second pass: what reaches the request, what is refused, what is told."""

from pathlib import Path

import pytest

from api.body import HiresBody, JobBody, LoraBody, WebhookBody
from api.conditioning import Pictures
from api.input_body import ControlBody, InputBody
from api.normalise import normalise
from shared.catalog import Catalog, ControlEntry, Family, LoraEntry, ModelEntry, ModelLimits
from shared.errors import InvalidRequest
from shared.request import Fit, InputRef, Lora, WebhookEvent
from shared.samplers import SAMPLERS

CATALOG = Catalog(
    default="sd",
    models=(
        ModelEntry(
            id="sd",
            family=Family.SD,
            path=Path("sd"),
            controls=(ControlEntry(type="canny", path=Path("canny")),),
            loras=(
                LoraEntry(name="line", path=Path("a.safetensors")),
                LoraEntry(name="ink", path=Path("b.safetensors")),
            ),
            limits=ModelLimits(max_side=1024, max_pixels=640 * 1024, max_loras=2),
        ),
    ),
)
SENT = InputBody(id="in_" + "0" * 32)
SQUARE = InputRef(id=SENT.id or "", width=512, height=512)


def ask(pictures: Pictures | None = None, **fields):
    body = JobBody(prompt="a red apple", **fields)
    return normalise(body, CATALOG, SAMPLERS, pictures=pictures or Pictures())


def refusals(pictures: Pictures | None = None, **fields) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        ask(pictures, **fields)
    return {error.field: error.code for error in caught.value.errors}


def told(pictures: Pictures | None = None, **fields) -> list[str]:
    return [warning.code for warning in ask(pictures, **fields).warnings]


def test_everything_reaches_the_request():
    request = ask(
        Pictures(SQUARE, SQUARE, (SQUARE,)),
        image=SENT,
        mask=SENT,
        strength=0.5,
        fit=Fit.STRETCH,
        controls=[ControlBody(type="canny", image=SENT, scale=0.7, end=0.5, preprocess=True)],
        loras=[LoraBody(name="ink", scale=-0.5)],
        guidance_rescale=0.7,
        clip_skip=1,
        hires=HiresBody(scale=1.5),
        steps=12,
        preview_every=2,
        trajectory=True,
        webhook=WebhookBody(url="https://example.com/"),
    ).request
    assert (request.image, request.mask, request.strength) == (SQUARE, SQUARE, 0.5)
    assert (request.fit, request.guidance_rescale, request.clip_skip) == (Fit.STRETCH, 0.7, 1)
    (control,) = request.controls
    assert (control.type, control.image, control.scale) == ("canny", SQUARE, 0.7)
    assert (control.start, control.end, control.preprocess) == (0.0, 0.5, True)
    assert request.loras == (Lora(name="ink", scale=-0.5),)
    assert request.hires is not None
    assert (request.hires.scale, request.hires.steps) == (1.5, 12)
    assert (request.preview_every, request.trajectory) == (2, True)
    assert request.webhook is not None
    assert WebhookEvent.STARTED not in request.webhook.events


def test_too_many_loras():
    three = [LoraBody(name="line"), LoraBody(name="ink"), LoraBody(name="line")]
    assert refusals(loras=three) == {"loras": "too_many_loras", "loras.2.name": "duplicate_lora"}


def test_a_second_pass_stays_within_the_models_limits():
    assert refusals(hires=HiresBody(scale=2.5)) == {"hires.scale": "too_many_pixels"}
    assert refusals(hires=HiresBody(scale=2)) == {"hires.scale": "too_many_pixels"}
    assert told(hires=HiresBody(scale=1.5)) == []
    assert told(hires=HiresBody(scale=1.3)) == ["size_rounded"]
    assert told(width=640, hires=HiresBody(scale=1.1), height=320) == []


def test_a_strength_of_less_than_a_step():
    pictures = Pictures(SQUARE)
    assert refusals(pictures, image=SENT, steps=9, strength=0.1) == {"strength": "illegal_strength"}
    assert told(pictures, image=SENT, steps=10, strength=0.1) == []
    thin = HiresBody(strength=0.1, steps=9, scale=1.25)
    assert refusals(hires=thin) == {"hires.strength": "illegal_strength"}


def test_what_is_ignored_is_told():
    assert told(strength=0.5) == ["option_ignored"]
    assert told(fit=Fit.CONTAIN) == ["option_ignored"]
    assert told(guidance_rescale=0.5, guidance_scale=1.0) == ["option_ignored"]


def test_a_picture_of_another_shape_is_told():
    wide = Pictures(InputRef(id=SQUARE.id, width=1024, height=512))
    (warning,) = ask(wide, image=SENT, width=512, height=512).warnings
    assert warning.code == "image_fitted"
    assert "1024 x 512" in warning.detail
    assert "cut off" in warning.detail
    assert told(wide, image=SENT, width=512, height=256) == []
