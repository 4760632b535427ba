"""What each of our processes is told: `TESSERA_*` for the local stack, the caller's own kept."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tessera.local.ports import HOST, SEAWEED_GRPC_OFFSET

REPOSITORY = Path(__file__).resolve().parents[2]
BUCKET = "tessera"
PROCESSES = ("gateway", "keeper", "worker")
MODULES = {"gateway": "api", "keeper": "keeper", "worker": "worker"}


@dataclass(frozen=True)
class StackAddresses:
    """Where the parts of one stack listen, all on loopback."""

    port: int
    valkey: int
    seaweed: Mapping[str, int]
    metrics: Mapping[str, int]

    @property
    def url(self) -> str:
        """The gateway, for clients."""
        return f"http://{HOST}:{self.port}"

    @property
    def redis_url(self) -> str:
        """The job store."""
        return f"redis://{HOST}:{self.valkey}/0"

    @property
    def s3_url(self) -> str:
        """The object store."""
        return f"http://{HOST}:{self.seaweed['s3']}"

    @property
    def own_ports(self) -> set[int]:
        """Every port of the stack."""
        seaweed = set(self.seaweed.values())
        grpc = {port + SEAWEED_GRPC_OFFSET for port in seaweed}
        return {self.port, self.valkey, *seaweed, *grpc, *self.metrics.values()}

    def metrics_url(self, process: str) -> str:
        """The `/metrics` of one of PROCESSES."""
        return f"http://{HOST}:{self.metrics[process]}/metrics"


def process_environment(
    process: str,
    addresses: StackAddresses,
    credentials: tuple[str, str],
    webhook_secret: str,
    inherited: Mapping[str, str],
) -> dict[str, str]:
    """The environment of one of PROCESSES.

    Addresses are the stack's. Everything else (slots, log level, limits, models) is the caller's
    where `inherited` has it, and fit for one machine's owner where not.
    """
    key, secret = credentials
    environment = {
        "TESSERA_AUTH": "open",
        "TESSERA_GRACE_SECONDS": "5",
        "TESSERA_MODELS_FILE": str(REPOSITORY / "models" / "models.toml"),
        "TESSERA_OUTBOUND_ALLOW": _loopback_without(addresses.own_ports),
        "TESSERA_WEBHOOK_SECRET": webhook_secret,
        **inherited,
        "TESSERA_REDIS_URL": addresses.redis_url,
        "TESSERA_S3_ENDPOINT_URL": addresses.s3_url,
        "TESSERA_S3_PUBLIC_URL": addresses.s3_url,
        "TESSERA_S3_BUCKET": BUCKET,
        "TESSERA_S3_ACCESS_KEY_ID": key,
        "TESSERA_S3_SECRET_ACCESS_KEY": secret,
        "TESSERA_PUBLIC_URL": addresses.url,
        "TESSERA_METRICS_HOST": HOST,
        "TESSERA_METRICS_PORT": str(addresses.metrics[process]),
    }
    # The processes run in the data directory.
    environment["TESSERA_MODELS_FILE"] = str(Path(environment["TESSERA_MODELS_FILE"]).resolve())
    environment.pop("TESSERA_SCRATCH_URL", None)
    if process != "keeper":
        del environment["TESSERA_WEBHOOK_SECRET"]
    if process == "gateway":
        environment |= {"TESSERA_HOST": HOST, "TESSERA_PORT": str(addresses.port)}
    return environment


def _loopback_without(own_ports: Collection[int]) -> str:
    """Webhooks and links may go to this machine's other programs, never to the stack itself."""
    walls = [0, *sorted(own_ports), 65_536]
    gaps = [(low + 1, high - 1) for low, high in pairwise(walls) if high - low > 1]
    ports = ",".join(f"{first}-{last}" for first, last in gaps)
    return f"127.0.0.0/8:{ports} [::1/128]:{ports}"
