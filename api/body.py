"""The wire body of a submission: its fields, their types and the ranges that no model widens."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from api.fields import MetadataKey, MetadataValue, Prompt, Seed, StrictBody
from api.input_body import ControlBody, InputBody
from shared.request import Fit, OutputFormat, Priority, WebhookEvent

METADATA_KEYS = 16
WEEK_SECONDS = 7 * 86_400
ENDINGS: tuple[WebhookEvent, ...] = tuple(WebhookEvent)[1:]  # all but `started`
MAX_LIST = 16  # controls or LoRAs; a model may take fewer


class CancelBody(StrictBody):
    """Several jobs to cancel."""

    ids: list[Annotated[str, Field(max_length=64)]] = Field(min_length=1, max_length=100)


class OutputBody(StrictBody):
    """How finished pictures are encoded."""

    format: OutputFormat = OutputFormat.PNG
    quality: int | None = Field(default=None, ge=1, le=100, description="JPEG, WebP, AVIF.")


class LoraBody(StrictBody):
    """A configured LoRA, and how strongly it counts."""

    name: str = Field(max_length=64, description="One of the model's; never a URL.")
    scale: float = Field(default=1.0, ge=-4, le=4)


class HiresBody(StrictBody):
    """A second pass over the enlarged picture."""

    scale: float = Field(default=2.0, ge=1, le=4)
    strength: float = Field(default=0.6, gt=0, le=1)
    steps: int | None = Field(default=None, ge=1, le=150, description="Absent: as the first pass.")


class WebhookBody(StrictBody):
    """Who is called back when the job reaches one of the events."""

    url: Annotated[str, Field(min_length=1, max_length=2_048)]
    events: list[WebhookEvent] = Field(
        default_factory=lambda: list(ENDINGS),
        min_length=1,
        max_length=len(WebhookEvent),
        description="Default: every way in which the job can end.",
    )


class EndpointBody(StrictBody):
    """One endpoint, by the URL that jobs named."""

    url: Annotated[str, Field(max_length=2_048)]


class JobBody(StrictBody):
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
    image: InputBody | None = Field(default=None, description="What the picture begins with.")
    strength: float | None = Field(
        default=None, gt=0, le=1, description="How much of `image` is made anew; 1 is all of it."
    )
    mask: InputBody | None = Field(
        default=None, description="White is painted anew, black stays; of the same size as `image`."
    )
    fit: Fit | None = Field(
        default=None, description="How an input picture of another shape is fitted."
    )
    controls: list[ControlBody] = Field(default_factory=list, max_length=MAX_LIST)
    loras: list[LoraBody] = Field(default_factory=list, max_length=MAX_LIST)
    guidance_rescale: float | None = Field(default=None, ge=0, le=1)
    clip_skip: int | None = Field(
        default=None, ge=0, le=11, description="Last layers of the text encoder left out."
    )
    hires: HiresBody | None = None
    preview_every: int | None = Field(
        default=None, ge=0, le=150, description="Steps between two previews; 0 is none."
    )
    trajectory: bool = Field(
        default=False, description="Also an animated picture of the denoising."
    )
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

    def pictures(self) -> Iterator[tuple[str, InputBody]]:
        """Every input picture, with the path of its field."""
        if self.image is not None:
            yield "image", self.image
        if self.mask is not None:
            yield "mask", self.mask
        for index, control in enumerate(self.controls):
            yield f"controls.{index}.image", control.image
