"""The GenerationRequest: what the client asked for, validated, with every default filled in."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


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


class Output(BaseModel):
    """How a finished picture is encoded. `quality` means nothing to PNG."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: OutputFormat = OutputFormat.PNG
    quality: int = 90


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

    @property
    def rows(self) -> int:
        """UNet rows one image takes in a step: two under classifier-free guidance."""
        return 2 if self.guidance_scale > 1 else 1

    @property
    def cost(self) -> float:
        """Rows x steps x megapixels x images: what fairness and limits count."""
        megapixels = self.width * self.height / 1e6
        return self.rows * self.steps * megapixels * self.num_images

    def image_seed(self, index: int) -> int:
        """The seed of image `index`."""
        return (self.seed + index) % 2**32
