"""The wire body of a submission: its fields, their types and the ranges that no model widens."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.request import OutputFormat, Priority, WebhookEvent

PROMPT_CHARACTERS = 4_000
PROMPT_BYTES = 16_000
SEEDS = 2**32
METADATA_KEYS = 16
WEEK_SECONDS = 7 * 86_400

# Newline, return and tab count as spaces; every other control character is refused.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SPACES = re.compile(r"[\n\r\t]")


def _plain_text(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("control characters are not allowed")
    return text


def _prompt(text: str) -> str:
    if len(text.encode()) > PROMPT_BYTES:
        raise ValueError(f"at most {PROMPT_BYTES} bytes in UTF-8")
    return _SPACES.sub(" ", _plain_text(text))


def _seed(seed: int) -> int:
    if seed == -1:
        raise ValueError("leave `seed` out for a random one; the answer tells which it was")
    if not 0 <= seed < SEEDS:
        raise ValueError(f"from 0 to {SEEDS - 1}")
    return seed


Prompt = Annotated[str, Field(max_length=PROMPT_CHARACTERS), AfterValidator(_prompt)]
Seed = Annotated[
    int,
    AfterValidator(_seed),
    Field(json_schema_extra={"minimum": 0, "maximum": SEEDS - 1}),
]
MetadataKey = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_plain_text)]
MetadataValue = Annotated[str, Field(max_length=256), AfterValidator(_plain_text)]


class _Strict(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,  # a logged traceback must not hold a prompt
    )


class CancelBody(_Strict):
    """Several jobs to cancel."""

    ids: list[Annotated[str, Field(max_length=64)]] = Field(min_length=1, max_length=100)


class OutputBody(_Strict):
    """How finished pictures are encoded."""

    format: OutputFormat = OutputFormat.PNG
    quality: int | None = Field(default=None, ge=1, le=100, description="JPEG and WebP only.")


class WebhookBody(_Strict):
    """Who is called back when the job reaches one of the events."""

    url: Annotated[str, Field(min_length=1, max_length=2_048)]
    events: list[WebhookEvent] = Field(
        default_factory=lambda: [event for event in WebhookEvent if event != "started"],
        min_length=1,
        max_length=len(WebhookEvent),
        description="Default: every way in which the job can end.",
    )


class EndpointBody(_Strict):
    """One endpoint, by the URL that jobs named."""

    url: Annotated[str, Field(max_length=2_048)]


class JobBody(_Strict):
    """What a client may ask for. Whatever is left out comes from the model's entry."""

    prompt: Prompt = Field(description="What the picture shows.")
    negative_prompt: Prompt | None = Field(default=None, description="What it does not show.")
    model: str | None = Field(default=None, max_length=64, description="An id of /v1/models.")
    width: int | None = Field(default=None, description="Pixels, a multiple of 8.")
    height: int | None = Field(default=None, description="Pixels, a multiple of 8.")
    num_images: int = Field(default=1, ge=1, le=8, description="Image i has seed + i.")
    steps: int | None = Field(default=None, ge=1, le=150)
    guidance_scale: float | None = Field(default=None, ge=0, le=30)
    sampler: str | None = Field(default=None, max_length=64, description="A name of /v1/samplers.")
    schedule: str | None = Field(default=None, max_length=64)
    eta: float | None = Field(default=None, ge=0, le=1, description="Where the sampler knows it.")
    seed: Seed | None = Field(default=None, description="Absent: a random one, told.")
    output: OutputBody | None = None
    priority: Priority = Priority.NORMAL
    deadline_seconds: float | None = Field(
        default=None, gt=0, le=WEEK_SECONDS, description="Not finished by then: expired."
    )
    reproducible: bool = Field(
        default=False, description="Bit-identical again on the same stack, at a cost in speed."
    )
    webhook: WebhookBody | None = Field(default=None, description="Whom to call back.")
    metadata: dict[MetadataKey, MetadataValue] = Field(
        default_factory=dict, max_length=METADATA_KEYS, description="Echoed in the job."
    )
