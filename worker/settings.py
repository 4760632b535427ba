"""What the worker's two processes are configured with, read once where the supervisor starts."""

import os
import secrets
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from shared.errors import ConfigurationError
from shared.settings import (
    JobSettings,
    LogSettings,
    MetricsSettings,
    ModelSettings,
    RedisSettings,
    StorageSettings,
    TesseraSettings,
    TracingSettings,
    settings_errors,
)
from worker.engine.rows import ROW_BUCKETS

# Each size that is compiled or captured costs minutes of building, or device memory.
MOST_FIXED_ROWS = 4


class WorkerSettings(TesseraSettings):
    """How much one worker takes on, and how long it waits for others."""

    slots: int = Field(default=16, ge=2, le=256)
    # Slots that only jobs of high priority may have, so that they find one free.
    high_slots: int = Field(default=2, ge=0)
    grace_seconds: float = Field(default=25.0, ge=0)
    # How long no tick may end while samples wait, if ten slow ones do not take longer.
    stall_seconds: float = Field(default=30.0, gt=0)
    # The worker drains once there is such a file: whoever hears that the machine goes makes it.
    spot_notice_file: Path | None = None
    # How much denoising a worker's death may cost; 0: nothing is kept.
    checkpoint_seconds: float = Field(default=2.0, ge=0)
    # How long a job whose pictures are finished waits for S3 before it counts a failed attempt.
    storage_patience_seconds: float = Field(default=60.0, gt=0)
    # What finished pictures may take on disk while they wait; 0: they wait in memory, one a job.
    spool_gib: float = Field(default=1.0, ge=0)
    # Where; None: the system's folder for temporary files.
    spool_folder: Path | None = None
    # Processes that compress pictures.
    compressors: int = Field(default=2, ge=1, le=64)
    # Whether finished files say, in XMP, that a machine made the picture.
    mark_generated: bool = True
    # A folder with diffusers' StableDiffusionSafetyChecker; None: pictures are not classified.
    safety_checker: Path | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "fp16", "bf16", "fp32"] = "auto"
    attention: Literal["auto", "xformers", "sdpa"] = "auto"
    # Whether the UNet's linear layers have 8 bits, if pictures then come so close, in decibels, to
    # those without.
    float8: Literal["off", "on"] = "off"
    float8_decibels: float = Field(default=25.0, gt=0)
    # Whether UNet and VAE are compiled for the default size, beside the running work.
    compile: Literal["off", "on"] = "off"
    # Whether the UNet's calls at these sizes are captured as CUDA graphs.
    cuda_graphs: Literal["off", "on"] = "off"
    # Rows of the batches that are compiled or captured, with commas between them: four at most.
    fixed_rows: Annotated[tuple[int, ...], NoDecode] = (2, 4, 8, 16)
    # Where what was compiled is kept for the next start; None: in the system's temporary folder.
    compile_cache: Path | None = None
    # GPUs, as CUDA_VISIBLE_DEVICES names them, with commas between: each has a process, and the
    # metrics port of the n-th is n higher. Default: one process, with what the environment shows.
    gpus: Annotated[tuple[str, ...], NoDecode] = ()
    # Ids of the models that this worker may hold, with commas between them; default: all.
    worker_models: Annotated[tuple[str, ...], NoDecode] = ()
    # What the weights of all models in memory may take together; default: all must fit.
    model_memory_gib: float = Field(default=float("inf"), gt=0)
    # How long the jobs of a model that nobody holds wait before one with work makes room.
    model_patience_seconds: float = Field(default=20.0, ge=0)

    @field_validator("worker_models", "gpus", mode="before")
    @classmethod
    def _split(cls, value: str | tuple[str, ...]) -> tuple[str, ...]:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("fixed_rows", mode="before")
    @classmethod
    def _numbers(cls, value: str | tuple[int, ...]) -> tuple[int, ...]:
        rows = tuple(int(part) for part in value.split(",")) if isinstance(value, str) else value
        if not set(rows) <= set(ROW_BUCKETS) or not 1 <= len(rows) <= MOST_FIXED_ROWS:
            raise ValueError(f"at most four of {ROW_BUCKETS}")
        return rows


@dataclass(frozen=True)
class Settings:
    """Every concern of the worker."""

    redis: RedisSettings = field(default_factory=RedisSettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    models: ModelSettings = field(default_factory=ModelSettings)
    jobs: JobSettings = field(default_factory=JobSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    log: LogSettings = field(default_factory=LogSettings)
    tracing: TracingSettings = field(default_factory=TracingSettings)
    worker: WorkerSettings = field(default_factory=WorkerSettings)

    def __post_init__(self) -> None:
        if self.worker.high_slots >= self.worker.slots:
            raise ConfigurationError("TESSERA_HIGH_SLOTS must be less than TESSERA_SLOTS")


def read_settings() -> Settings:
    """The settings in the environment. Raises ConfigurationError."""
    with settings_errors():
        return Settings()


def new_worker_id() -> str:
    """Names one life of a GPU process: in the store, in RQ, in the log."""
    return f"tessera-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
