"""A Valkey and an S3 server that may be stopped and started again with their data."""

from pathlib import Path

from shared.settings import RedisSettings
from tessera.local.ports import free_ports
from tessera.local.servers import (
    SEAWEED_PORTS,
    remove_seaweed_sockets,
    start_seaweed,
    start_valkey,
    storage_settings,
)


class Servers:
    """A Valkey and an S3 server which keep their data when restarted."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        ports = free_ports(["valkey", *SEAWEED_PORTS])
        self.valkey_port = ports.pop("valkey")
        self._seaweed_ports = ports
        self.s3_port = self._seaweed_ports["s3"]
        self.redis_settings = RedisSettings(redis_url=f"redis://127.0.0.1:{self.valkey_port}/0")
        self.storage = storage_settings(
            self._seaweed_ports["s3"], bucket="tessera", key="test", secret="test-secret"
        )
        self.start_valkey()
        self.start_seaweed()

    def start_valkey(self) -> None:
        self.valkey = start_valkey(
            self._directory / "valkey", self._directory / "valkey.log", self.valkey_port
        )

    def start_seaweed(self) -> None:
        self.seaweed = start_seaweed(
            self._directory / "seaweed",
            self._directory / "seaweed.log",
            self._seaweed_ports,
            bucket="tessera",
            key="test",
            secret="test-secret",
        )

    def stop(self) -> None:
        self.seaweed.stop(10)
        self.valkey.stop(5)
        remove_seaweed_sockets(self._seaweed_ports)
