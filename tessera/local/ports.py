"""Free loopback ports, chosen once and remembered in the data directory."""

import json
import random
import socket
from collections.abc import Sequence
from pathlib import Path

HOST = "127.0.0.1"
SEAWEED_GRPC_OFFSET = 10_000  # SeaweedFS listens on every port plus this, too
# Below the range that systems give to outgoing connections (from 32768 on Linux), so that none of
# those sits on a remembered port while the stack is down.
CHOICE = range(11_000, 22_000)


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_ports(names: Sequence[str]) -> dict[str, int]:
    """A free port for each name; its partner at +10000 is free as well."""
    candidates = iter(random.sample(CHOICE, len(CHOICE)))
    free = (
        port
        for port in candidates
        if port_is_free(port) and port_is_free(port + SEAWEED_GRPC_OFFSET)
    )
    return dict(zip(names, free, strict=False))


def remembered_ports(file: Path, names: Sequence[str]) -> dict[str, int]:
    """The ports in `file`, or new ones written to it.

    SeaweedFS starts empty under a new master port, so a data directory keeps its ports.
    """
    if file.exists():
        ports: dict[str, int] = json.loads(file.read_text())
        if set(ports) == set(names):
            return ports
    ports = free_ports(names)
    file.write_text(json.dumps(ports, indent=2) + "\n")
    return ports
