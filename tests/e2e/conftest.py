"""One running stack for all end-to-end tests that do not stop it."""

from collections.abc import Iterator

import pytest

from tessera.client import Client
from tessera.local.ports import free_ports
from tests.e2e.running import RunningStack, tessera_up

# Four slots for ordinary jobs, so that a fifth waits in the queue.
SLOTS = {"TESSERA_SLOTS": "5", "TESSERA_HIGH_SLOTS": "1"}


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The whole service on loopback, with the bundled model."""
    port = free_ports(["gateway"])["gateway"]
    with tessera_up(tmp_path_factory.mktemp("stack"), port=port, **SLOTS) as running:
        yield running


@pytest.fixture
def client(stack: RunningStack) -> Iterator[Client]:
    """The service's own client."""
    with Client(stack.url) as connected:
        yield connected
