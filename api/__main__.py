"""`python -m api`: the gateway as one process, until SIGTERM or SIGINT."""

import gc
import resource
import signal
import socket
import sys
from types import FrameType

import uvicorn

from api.main import create_app
from api.services import Services
from api.settings import read_settings
from shared.errors import ConfigurationError
from shared.logging import configure_logging
from shared.metrics import serve_metrics

BACKLOG = 2048
DRAIN_SECONDS = 5
# New objects after which the collector looks for cycles: an exchange leaves hundreds and hardly a
# cycle, and by default it would look twice in each.
COLLECT_AFTER = 10_000


class GatewayServer(uvicorn.Server):
    """Ends waiting answers and event streams as soon as it is told to stop."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came; the event loop is running."""
        services: Services = self.config.app.state.services  # type: ignore[union-attr]
        services.hub.close_soon()
        super().handle_exit(sig, frame)


def main() -> int:
    """Serve; the exit status is 2 where the configuration is wrong."""
    # uvicorn raises the signal that stopped it once more when it is done.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    allow_many_connections()
    try:
        settings = read_settings()
        configure_logging("gateway", settings.log)
        app = create_app(settings)
        services: Services = app.state.services
        services.surroundings.check_settings()
        serve_metrics(settings.metrics, services.metrics.registry)
        listener = listen(settings.gateway.host, settings.gateway.port)
    except ConfigurationError as error:
        sys.stderr.write(f"gateway: {error.detail}\n")
        return 2
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.gateway.trusted_proxies),
        forwarded_allow_ips=list(settings.gateway.trusted_proxies),
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    # What was loaded stays; nobody need look through it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    GatewayServer(config).run(sockets=[listener])
    return 0


def allow_many_connections() -> None:
    """Raise the limit of open files as far as it goes: a thousand streams pass the usual one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ConfigurationError where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {host}:{port}: {error.strerror}") from error


if __name__ == "__main__":
    sys.exit(main())
