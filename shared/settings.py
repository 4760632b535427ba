"""Settings that several processes read, one small frozen class a concern, from `TESSERA_*`."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, FilePath, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import ConfigurationError
from shared.mistakes import first_mistake


class TesseraSettings(BaseSettings):
    """The root of all settings classes: prefix `TESSERA_`, read once, never changed."""

    model_config = SettingsConfigDict(env_prefix="TESSERA_", frozen=True, extra="ignore")


def _http_url(value: str) -> str:
    # An empty one is none: Compose cannot leave a variable out.
    if value and not re.match("https?://[^/]", value):
        raise ValueError("must begin with http:// or https://")
    return value


HttpUrl = Annotated[str, AfterValidator(_http_url)]
HOST = r"(\[[^\]]+\]|[^@:/,\[\]]+)(:\d+)?"
REDIS_URL = re.compile(
    rf"unix://.+|rediss?://([^/]*@)?({HOST})?([/?].*)?"
    rf"|rediss?\+sentinel://([^/]*@)?{HOST}(,{HOST})*/[^/?]+([/?].*)?"
)


def _redis_url(value: str) -> str:
    # The text has no part of it: a password may be in it.
    if not REDIS_URL.fullmatch(value):
        raise ValueError(
            "must begin with redis://, rediss:// or unix://, or be "
            "redis+sentinel://HOST:26379,HOST:26379/SERVICE (rediss+sentinel:// with TLS)"
        )
    return value


RedisUrl = Annotated[str, AfterValidator(_redis_url)]


class RedisSettings(TesseraSettings):
    """Where the truth lives, and where what may be lost lives (default: the same server).

    `rediss://` is TLS; `?ssl_ca_certs=FILE` in the URL names a private authority. Sentinels:
    `redis+sentinel://HOST:26379,HOST:26379/SERVICE`, see shared/redis_url.py.
    """

    redis_url: RedisUrl = "redis://127.0.0.1:6379/0"
    scratch_url: RedisUrl | None = None
    redis_timeout_seconds: float = Field(default=2.0, gt=0)


class StorageSettings(TesseraSettings):
    """The S3 bucket. Without keys boto3's own credential chain is used.

    `s3_ca_file`: certificates, in PEM, that an `https` endpoint is checked against; without one
    the public authorities are.

    `s3_public_url` is the endpoint that clients reach; without one the gateway streams pictures.
    """

    s3_endpoint_url: HttpUrl | None = None
    s3_public_url: HttpUrl | None = None
    s3_bucket: str = "tessera"
    s3_region: str = "us-east-1"
    s3_access_key_id: str | None = None
    s3_secret_access_key: SecretStr | None = None
    s3_ca_file: FilePath | None = None
    s3_link_seconds: int = Field(default=900, ge=1, le=604_800)


class ModelSettings(TesseraSettings):
    """Which models there are."""

    models_file: Path = Path("models/models.toml")


class JobSettings(TesseraSettings):
    """How jobs live: leases, limits, retention. One meaning in every process."""

    lease_seconds: float = Field(default=10.0, gt=0)
    max_crashes: int = Field(default=3, ge=1)
    max_host_losses: int = Field(default=10, ge=1)
    max_attempts: int = Field(default=3, ge=1)
    max_queued_jobs: int = Field(default=10_000, ge=1)
    max_queued_jobs_per_tenant: int = Field(default=2_000, ge=1)
    # As in GenerationRequest.cost; 2,000 pictures of 1024 x 1024 in 25 guided steps.
    max_queued_cost_per_tenant: float = Field(default=100_000, gt=0)
    # How fast a tenant's keys may submit, all together; a key may have a limit of its own.
    cost_per_second_per_tenant: float | None = Field(default=None, gt=0)
    cost_burst_per_tenant: float = Field(default=10_000, gt=0)
    input_bytes_per_day_per_tenant: int = Field(default=10_000_000_000, gt=0)
    retention_seconds: float = Field(default=7 * 86_400, gt=0)
    # Since an input picture's last use; those of jobs that have not ended stay.
    input_retention_seconds: float = Field(default=7 * 86_400, gt=0)
    idempotency_seconds: float = Field(default=86_400, gt=0)
    webhook_log_seconds: float = Field(default=7 * 86_400, gt=0)


class MetricsSettings(TesseraSettings):
    """The process' own port for `/metrics`; 0 lets the system choose one."""

    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(default=9100, ge=0, le=65_535)


class TracingSettings(TesseraSettings):
    """Where spans are sent by OTLP over HTTP, such as `http://collector:4318`; empty: nowhere.

    `otlp_ratio` of the traces are kept, of those that no client has begun.
    """

    otlp_endpoint: HttpUrl = ""
    otlp_ratio: float = Field(default=1.0, ge=0, le=1)


class LogSettings(TesseraSettings):
    """What is logged."""

    log_level: str = "INFO"


@contextmanager
def settings_errors() -> Iterator[None]:
    """Tell the first wrong setting in one line.

    Raises:
        ConfigurationError: with the variable's name and what is wrong with it.
    """
    try:
        yield
    except ValidationError as error:
        path, reason = first_mistake(error)
        where = f"TESSERA_{'_'.join(path).upper()}: " if path else ""
        raise ConfigurationError(f"{where}{reason}") from error
