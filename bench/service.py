"""A gateway process with its own Valkey and S3 server, for benchmarks and the contract's test."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from shared.settings import RedisSettings, StorageSettings
from tessera.local.children import Child, start_child
from tessera.local.ports import HOST, free_ports
from tessera.local.servers import (
    SEAWEED_PORTS,
    remove_seaweed_sockets,
    start_seaweed,
    start_valkey,
    storage_settings,
)

NAMES = {"bucket": "tessera", "key": "bench", "secret": "bench-secret"}
UNLIMITED = {
    "TESSERA_MAX_QUEUED_JOBS": "1000000",
    "TESSERA_MAX_QUEUED_JOBS_PER_TENANT": "1000000",
    "TESSERA_MAX_QUEUED_COST_PER_TENANT": "1e12",
}


@dataclass(frozen=True)
class Service:
    """Where it listens, and where its stores are."""

    port: int
    pid: int  # the gateway's
    redis: RedisSettings
    storage: StorageSettings

    @property
    def url(self) -> str:
        """The gateway, for clients."""
        return f"http://{HOST}:{self.port}"


@contextmanager
def running_service(directory: Path, environment: Mapping[str, str]) -> Iterator[Service]:
    """Start the three, files and logs in `directory`, and stop them on leaving."""
    ports = free_ports(["valkey", "gateway", *SEAWEED_PORTS])
    valkey = start_valkey(directory / "valkey", directory / "valkey.log", ports["valkey"])
    seaweed = start_seaweed(directory / "s3", directory / "s3.log", ports, **NAMES)
    storage = storage_settings(ports["s3"], **NAMES)
    redis = RedisSettings(redis_url=f"redis://{HOST}:{ports['valkey']}/0")
    own = {
        "TESSERA_PORT": str(ports["gateway"]),
        "TESSERA_METRICS_PORT": "0",
        "TESSERA_REDIS_URL": redis.redis_url,
        "TESSERA_S3_ENDPOINT_URL": str(storage.s3_endpoint_url),
        "TESSERA_S3_ACCESS_KEY_ID": NAMES["key"],
        "TESSERA_S3_SECRET_ACCESS_KEY": NAMES["secret"],
    }
    gateway = start_python(directory, "gateway", ["api"], {**own, **environment})
    try:
        gateway.wait_until(lambda: answers(ports["gateway"]), 30)
        yield Service(ports["gateway"], gateway.pid, redis, storage)
    finally:
        for child in (gateway, seaweed, valkey):
            child.stop(10)
        remove_seaweed_sockets({name: ports[name] for name in SEAWEED_PORTS})


def start_python(
    directory: Path, name: str, module: list[str], environment: Mapping[str, str]
) -> Child:
    """`python -m module`, its log in `directory`."""
    command = [sys.executable, "-m", *module]
    return start_child(name, command, directory / f"{name}.log", {**os.environ, **environment})


def processor_seconds(pid: int) -> float:
    """What a process has used since its beginning, in steps of a hundredth."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def answers(port: int) -> bool:
    """Whether something alive listens there."""
    try:
        return httpx2.get(f"http://{HOST}:{port}/livez", timeout=1).status_code == 200
    except httpx2.TransportError:
        return False
