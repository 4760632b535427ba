"""One running stack for all end-to-end tests that do not stop it."""

from collections.abc import Iterator

import pytest

from tessera.client import Client
from tessera.local.ports import free_ports
from tests.e2e.running import RunningStack, tessera_up
from tests.receiver import Receiver, receiving

# Four slots for ordinary jobs, so that a fifth waits in the queue.
SLOTS = {"TESSERA_SLOTS": "5", "TESSERA_HIGH_SLOTS": "1"}


@pytest.fixture(scope="session")
def collector() -> Iterator[Receiver]:
    """Where the stack's spans go."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, collector: Receiver) -> Iterator[RunningStack]:
    """The whole service on loopback, with the bundled model."""
    port = free_ports(["gateway"])["gateway"]
    told = {**SLOTS, "TESSERA_OTLP_ENDPOINT": collector.url}
    with tessera_up(tmp_path_factory.mktemp("stack"), port=port, **told) as running:
        yield running


@pytest.fixture
def client(stack: RunningStack) -> Iterator[Client]:
    """The service's own client."""
    with Client(stack.url) as connected:
        yield connected
