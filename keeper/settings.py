"""What the keeper is configured with."""

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from shared.outbound.settings import OutboundSettings
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
from shared.signature import is_secret

HOUR = 3_600.0


def _seconds(value: object) -> object:
    return value.split() if isinstance(value, str) else value


def _secret(value: SecretStr) -> SecretStr:
    if not is_secret(value.get_secret_value()):
        raise ValueError("must be `whsec_` and 24 to 64 bytes in base64")
    return value


class WebhookSettings(TesseraSettings):
    """How webhooks are sent.

    `webhook_schedule`: seconds between tries, of which the first is made at once.
    `webhook_patience_seconds`: an endpoint that has failed for so long is disabled.
    `webhook_secret`: signs where nobody shows an API key; without it, one is made.
    """

    webhook_schedule: Annotated[
        tuple[Annotated[float, Field(ge=0)], ...], NoDecode, BeforeValidator(_seconds)
    ] = (
        *(5.0, 300.0, 1_800.0),
        *(2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR),
    )
    webhook_timeout_seconds: float = Field(default=15.0, gt=0)
    webhook_patience_seconds: float = Field(default=5 * 24 * HOUR, gt=0)
    webhook_secret: Annotated[SecretStr, AfterValidator(_secret)] | None = None


@dataclass(frozen=True)
class Settings:
    """Every concern of the keeper."""

    redis: RedisSettings = field(default_factory=RedisSettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    models: ModelSettings = field(default_factory=ModelSettings)
    jobs: JobSettings = field(default_factory=JobSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    log: LogSettings = field(default_factory=LogSettings)
    tracing: TracingSettings = field(default_factory=TracingSettings)
    outbound: OutboundSettings = field(default_factory=OutboundSettings)
    webhooks: WebhookSettings = field(default_factory=WebhookSettings)


def read_settings() -> Settings:
    """The settings in the environment. Raises ConfigurationError."""
    with settings_errors():
        return Settings()
