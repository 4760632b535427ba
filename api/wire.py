"""What the gateway answers: jobs, pictures, models, samplers and lists, as pydantic models."""

from datetime import datetime
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from shared.capabilities import Prediction
from shared.catalog import ModelDefaults, ModelLimits
from shared.job import JobError, JobStatus, JobWarning, Timing
from shared.request import GenerationRequest
from shared.store.deliveries import DeliveryStatus


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class TrajectoryAnswer(_Answer):
    """The animated picture of one denoising."""

    url: str
    url_expires_at: datetime | None
    width: int
    height: int
    format: str
    bytes: int
    sha256: str


class ImageAnswer(_Answer):
    """A finished picture. `url` is good until `url_expires_at`; null: as long as the job lives."""

    index: int
    url: str
    url_expires_at: datetime | None
    seed: int
    width: int
    height: int
    format: str
    bytes: int
    sha256: str
    trajectory: TrajectoryAnswer | None


class QueueAnswer(_Answer):
    """About how many jobs go first in fair order, and when the job will be done.

    `eta_seconds` is null while no live worker has measured the job's model.
    """

    position: int | None = None
    eta_seconds: float | None = None


class ProgressAnswer(_Answer):
    """Steps done, averaged over the images, and images stored. `fraction` is from 0 to 1."""

    step: int
    steps: int
    fraction: float
    images_done: int


class PreviewAnswer(_Answer):
    """A new preview of image `index`; `url` gives it until a newer one comes."""

    index: int
    step: int
    steps: int
    content_type: str
    bytes: int
    url: str


class LinksAnswer(_Answer):
    """Where to go on. `events` and `preview` carry a short-lived token, so they need no key."""

    self: str
    cancel: str
    events: str
    preview: str


class JobAnswer(_Answer):
    """A job at one moment. `expires_at`: when an ended job and its pictures are removed."""

    id: str
    status: JobStatus
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None
    queue: QueueAnswer | None
    progress: ProgressAnswer
    request: GenerationRequest
    images: tuple[ImageAnswer, ...]
    warnings: tuple[JobWarning, ...]
    error: JobError | None
    attempts: int
    timing: Timing
    links: LinksAnswer


class HolderAnswer(_Answer):
    """A live worker that holds a model warm, by what it measured.

    `bytes` of weights; `max_rows`: the widest batch that it steps, its knee; `tick_seconds`: one
    step by rows of the batch; `attention_shapes`: the kernel of each (heads x queries x keys x
    size of a head); `forms`: what is compiled or captured of it, and the state of that;
    `float8`: whether its linear layers have 8 bits; `image_seconds`: one picture with the model's
    defaults, alone.
    """

    bytes: int
    max_rows: int
    tick_seconds: dict[int, float]
    attention: str
    attention_shapes: dict[str, str]
    forms: dict[str, str]
    float8: bool
    image_seconds: float


class DryRunAnswer(_Answer):
    """What a submission would be: `cost` is rows x model calls x megapixels x images."""

    request: GenerationRequest
    cost: float
    queue: QueueAnswer
    warnings: tuple[JobWarning, ...]


class ModelAnswer(_Answer):
    """A configured model. `loaded`: some live worker holds it warm.

    `controls`, `loras` and `embeddings` are the names that a request may use.
    """

    id: str
    title: str
    family: str
    loaded: bool
    default: bool
    defaults: ModelDefaults
    limits: ModelLimits
    controls: tuple[str, ...]
    loras: tuple[str, ...]
    embeddings: tuple[str, ...]
    workers: tuple[HolderAnswer, ...]


class InputAnswer(_Answer):
    """An input picture as it was stored, upright. `bytes` is what was sent."""

    id: str
    width: int
    height: int
    bytes: int
    expires_at: datetime


class SamplerAnswer(_Answer):
    """A sampler, what it can be combined with, and what else it may be called.

    `label` is AUTOMATIC1111's name; an alias that ends with a schedule chooses that too.
    """

    name: str
    label: str
    aliases: tuple[str, ...]
    prediction: Prediction
    schedules: tuple[str, ...]
    min_steps: int
    max_steps: int
    calls_per_step: int
    uses_eta: bool


class TryAnswer(_Answer):
    """One try to deliver: the answer's HTTP status, null where none came."""

    at: datetime
    status: int | None


class DeliveryAnswer(_Answer):
    """A webhook on its way. `next_try_at` is null when nothing more is tried."""

    id: str
    job_id: str
    type: str
    url: str
    status: DeliveryStatus
    created_at: datetime
    next_try_at: datetime | None
    tries: tuple[TryAnswer, ...]


class ProblemMeaning(_Answer):
    """One kind of problem."""

    code: str
    status: int
    retryable: bool
    meaning: str


Item = TypeVar("Item")


class ListAnswer(_Answer, Generic[Item]):
    """Every list: `next` is the cursor of the following page, null on the last one."""

    object: Literal["list"] = "list"
    data: tuple[Item, ...]
    next: str | None = None
