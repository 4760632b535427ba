"""Settings of the gateway: where it listens, whom it lets in, what its links begin with."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator
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


def _words(value: object) -> object:
    return value.split() if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]


class AuthMode(StrEnum):
    """`keys`: every caller shows an API key. `open`: anybody on this machine, nobody else."""

    KEYS = "keys"
    OPEN = "open"


class GatewaySettings(TesseraSettings):
    """`public_url` is what clients reach; links begin with it.

    `cors_origins`: origins, separated by spaces, whose pages may call. `trusted_proxies`: addresses
    or networks whose `X-Forwarded-For` says who calls.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65_535)
    auth: AuthMode = AuthMode.KEYS
    public_url: str | None = None
    link_secret: SecretStr | None = None
    # What fetching one input picture from its link may take in all.
    input_fetch_seconds: float = Field(default=10.0, gt=0)
    # What a request's body may take to arrive in all: 20 MB in a minute is a slow line.
    body_seconds: float = Field(default=60.0, gt=0)
    cors_origins: Words = ()
    trusted_proxies: Words = ()
    # Event streams that one tenant may have open at this gateway.
    max_streams_per_tenant: int = Field(default=1_000, ge=1)
    # Proxies close what is silent for longer, often after a minute.
    stream_keepalive_seconds: float = Field(default=15.0, gt=0)

    @model_validator(mode="after")
    def _open_mode_stays_at_home(self) -> Self:
        if self.auth is AuthMode.OPEN and not is_loopback(self.host):
            raise ValueError("TESSERA_AUTH=open listens on a loopback address only")
        if self.auth is AuthMode.OPEN and (self.cors_origins or self.trusted_proxies):
            raise ValueError("TESSERA_AUTH=open lets in no pages and no proxies of others")
        return self

    @property
    def base_url(self) -> str:
        """The beginning of every link of ours, without a slash at the end."""
        if self.public_url is not None:
            return self.public_url.rstrip("/")
        # Listening everywhere is no address to go to.
        name = "localhost" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104
        host = f"[{name}]" if ":" in name else name
        return f"http://{host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address without a port, is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Settings:
    """All settings that the gateway reads."""

    gateway: GatewaySettings
    redis: RedisSettings
    storage: StorageSettings
    models: ModelSettings
    jobs: JobSettings
    metrics: MetricsSettings
    log: LogSettings
    tracing: TracingSettings
    outbound: OutboundSettings


def read_settings() -> Settings:
    """Read the environment once. Raises ConfigurationError."""
    with settings_errors():
        return Settings(
            gateway=GatewaySettings(),
            redis=RedisSettings(),
            storage=StorageSettings(),
            models=ModelSettings(),
            jobs=JobSettings(),
            metrics=MetricsSettings(),
            log=LogSettings(),
            tracing=TracingSettings(),
            outbound=OutboundSettings(),
        )
