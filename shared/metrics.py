"""The `/metrics` port that every process has, and the series that all of them share."""

from dataclasses import dataclass
from importlib.metadata import version
from wsgiref.simple_server import WSGIServer

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Info,
    PlatformCollector,
    ProcessCollector,
    start_http_server,
)

from shared.errors import ConfigurationError
from shared.settings import MetricsSettings


@dataclass(frozen=True)
class MetricsServer:
    """A listening `/metrics`; its thread is a daemon, so nobody has to close it."""

    port: int
    server: WSGIServer

    def close(self) -> None:
        """Stop listening."""
        self.server.shutdown()
        self.server.server_close()


def new_registry(process: str) -> CollectorRegistry:
    """A registry for one process of ours, with what every process tells about itself."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    build = Info("tessera_build", "Which program this is.", registry=registry)
    build.info({"process": process, "version": version("tessera")})
    return registry


def serve_metrics(settings: MetricsSettings, registry: CollectorRegistry) -> MetricsServer:
    """Serve `registry` on the settings' address from now on; `port` tells which one it became.

    Raises:
        ConfigurationError: the port is taken, or the address is not this machine's.
    """
    host, port = settings.metrics_host, settings.metrics_port
    try:
        server, _ = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise ConfigurationError(f"metrics cannot listen on {host}:{port}: {error}") from error
    return MetricsServer(server.server_port, server)
