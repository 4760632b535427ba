"""A worker process on real servers: tickets in, pictures out."""

from collections.abc import Iterator

import pytest

from shared.connections import connect
from shared.job import JobStatus
from tests.harness import Processes, processes, tiny_models_file


@pytest.fixture(scope="module")
def running(valkey, storage_settings, tmp_path_factory) -> Iterator[Processes]:
    """One worker for all tests of this module."""
    from shared.settings import RedisSettings

    directory = tmp_path_factory.mktemp("worker")
    settings = RedisSettings(redis_url=valkey.url)
    pair = connect(settings, name="test")
    models_file = tiny_models_file(directory)
    with (
        processes(directory, pair, settings, storage_settings, models_file) as started,
        started.worker(),
    ):
        yield started
    pair.durable.close()


def test_a_job_becomes_a_picture(running: Processes) -> None:
    ids = running.submit(num_images=2)
    running.wait_for(ids, JobStatus.SUCCEEDED, 30)
    running.check_invariants(ids)
    print(running.jobs(ids))
