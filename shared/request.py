"""The GenerationRequest: what the client asked for, validated, with every default filled in."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from shared.samplers import SAMPLERS

# A row of a ControlNet, in rows of the UNet: 0.35 of its operations for SD 1.5, 0.45 for SDXL.
CONTROL_ROWS = 0.4


class Priority(StrEnum):
    """A job's lane; earlier is served first."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


PRIORITIES = tuple(Priority)


class OutputFormat(StrEnum):
    """Encodings of a finished picture."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"
    AVIF = "avif"


class Output(BaseModel):
    """How a finished picture is encoded. `quality` means nothing to PNG."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: OutputFormat = OutputFormat.PNG
    quality: int = 90


class Fit(StrEnum):
    """How an input picture of another shape comes to the request's width and height."""

    COVER = "cover"  # fills it; what stands out is cut off evenly
    CONTAIN = "contain"  # fits inside; the rest is filled with the picture's own edges
    STRETCH = "stretch"


class InputRef(BaseModel):
    """A checked input picture, stored under `shared.ids.input_key`. Sides in pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    width: int
    height: int


class Control(BaseModel):
    """One control picture: its kind, its weight, and the part of the steps where it counts.

    `start` and `end` are fractions of the steps. With `preprocess` the picture is a photograph,
    of which the worker makes the kind's drawing (canny: its edges).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    image: InputRef
    scale: float = 1.0
    start: float = 0.0
    end: float = 1.0
    preprocess: bool = False


class Lora(BaseModel):
    """One configured LoRA by its name, and how strongly it counts; 0 is exactly none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    scale: float = 1.0


class Hires(BaseModel):
    """A second pass: the latent enlarged by `scale`, noised by `strength`, denoised again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: float
    strength: float
    steps: int


class WebhookEvent(StrEnum):
    """What a job's webhook can be called for."""

    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"


class Webhook(BaseModel):
    """Who is called back, and for what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    events: tuple[WebhookEvent, ...]


class GenerationRequest(BaseModel):
    """A normalised request: complete, legal for its model, the same for whoever reads it.

    The gateway makes it from the client's body and the model's entry; workers trust it.
    Image `i` of `num_images` is drawn with seed `seed + i` modulo 2**32.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    prompt: str
    negative_prompt: str
    width: int
    height: int
    num_images: int
    steps: int
    guidance_scale: float
    sampler: str
    schedule: str
    eta: float
    seed: int
    output: Output
    priority: Priority
    deadline_seconds: float | None
    reproducible: bool
    metadata: dict[str, str]
    image: InputRef | None = None
    strength: float = 1.0
    mask: InputRef | None = None
    fit: Fit = Fit.COVER
    controls: tuple[Control, ...] = ()
    loras: tuple[Lora, ...] = ()
    guidance_rescale: float = 0.0
    clip_skip: int = 0
    hires: Hires | None = None
    preview_every: int = 0
    trajectory: bool = False
    webhook: Webhook | None = None

    @property
    def rows(self) -> int:
        """UNet rows one image takes in a step: two under classifier-free guidance."""
        return 2 if self.guidance_scale > 1 else 1

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the finished pictures: a second pass enlarges, to whole 8s."""
        scale = self.hires.scale if self.hires else 1.0
        return round(self.width * scale / 8) * 8, round(self.height * scale / 8) * 8

    @property
    def cost(self) -> float:
        """Rows x calls of the model x megapixels x images: what fairness and limits count.

        Steps that an input picture's strength skips are not counted, those of a second pass and
        the ControlNets' share are.
        """
        steps = self.steps * (self.strength if self.image else 1.0)
        if self.hires:
            steps += self.hires.steps * self.hires.strength * self.hires.scale**2
        calls = steps * SAMPLERS[self.sampler].calls_per_step
        controlled = sum(control.end - control.start for control in self.controls)
        rows = self.rows * (1 + CONTROL_ROWS * controlled)
        megapixels = self.width * self.height / 1e6
        return rows * calls * megapixels * self.num_images

    def image_seed(self, index: int) -> int:
        """The seed of image `index`."""
        return (self.seed + index) % 2**32
