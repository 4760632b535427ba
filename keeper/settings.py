"""What the keeper is configured with."""

from dataclasses import dataclass, field

from shared.settings import (
    JobSettings,
    LogSettings,
    MetricsSettings,
    ModelSettings,
    RedisSettings,
    StorageSettings,
    settings_errors,
)


@dataclass(frozen=True)
class Settings:
    """Every concern of the keeper."""

    redis: RedisSettings = field(default_factory=RedisSettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    models: ModelSettings = field(default_factory=ModelSettings)
    jobs: JobSettings = field(default_factory=JobSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    log: LogSettings = field(default_factory=LogSettings)


def read_settings() -> Settings:
    """The settings in the environment. Raises ConfigurationError."""
    with settings_errors():
        return Settings()
