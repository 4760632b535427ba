"""Servers that a test may stop, and one worker and keeper for all tests that leave them running."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from shared.connections import RedisPair, connect
from shared.settings import RedisSettings
from tessera.local.children import Child
from tests.fault_proxy import FaultProxy
from tests.harness import SLOWED_WORKER, Processes, processes, tiny_models_file
from tests.receiver import Receiver, receiving
from tests.servers import Servers


@dataclass(frozen=True)
class Line:
    """What the tests share: servers, proxies before them, and a worker and a keeper behind."""

    servers: Servers
    redis: FaultProxy
    s3: FaultProxy
    processes: Processes
    worker: Child
    keeper: Child


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Valkey and S3, stopped at the end."""
    started = Servers(tmp_path_factory.mktemp("servers"))
    yield started
    started.stop()


@pytest.fixture(scope="session")
def redis_of_faults(servers: Servers) -> Iterator[RedisPair]:
    """Clients of that Valkey."""
    pair = connect(servers.redis_settings, name="test")
    yield pair
    pair.durable.close()


@pytest.fixture(scope="session")
def line(
    servers: Servers, redis_of_faults: RedisPair, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Line]:
    """A ready worker and a keeper. Leases are shorter than in production, so that tests are."""
    directory = tmp_path_factory.mktemp("line")
    to_redis, to_s3 = FaultProxy(servers.valkey_port), FaultProxy(servers.s3_port)
    here = "127.0.0.1"
    storage = {"s3_endpoint_url": f"http://{here}:{to_s3.port}"}
    with (
        processes(
            directory,
            redis_of_faults,
            RedisSettings(redis_url=f"redis://{here}:{to_redis.port}/0"),
            servers.storage.model_copy(update=storage),
            tiny_models_file(directory),
            lease_seconds=LEASE_SECONDS,
        ) as started,
        started.keeper() as keeper,
        started.worker(module=SLOWED_WORKER, slowed_step_seconds=STEP_SECONDS) as worker,
    ):
        yield Line(servers, to_redis, to_s3, started, worker, keeper)
    to_redis.close()
    to_s3.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of webhooks."""
    with receiving() as started:
        yield started


LEASE_SECONDS = 4.0
STEP_SECONDS = 0.02  # so that jobs of sixty steps are seen in mid-sampling on any machine
