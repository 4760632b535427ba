"""Objects go first, the record last; what a record names is spared."""

import pytest
from prometheus_client import CollectorRegistry

from keeper.cleaner import Cleaner
from keeper.metrics import KeeperMetrics
from shared.ids import attempt_prefix, input_key, new_attempt_id, new_job_id
from shared.job import StoredImage
from shared.settings import JobSettings
from shared.store import keys
from shared.store.job_store import JobStore
from shared.store.values import NewJob
from tests.harness import TENANT
from tests.tiny_request import tiny_request


@pytest.fixture
def store(redis_pair):
    return JobStore(redis_pair, JobSettings())


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def cleaner(store, objects, registry):
    return Cleaner(store, objects, KeeperMetrics(registry))


@pytest.fixture
def attempt(store, objects):
    """A claimed job with one told picture and one that nobody knows; its prefix."""
    store.create(NewJob(new_job_id(), TENANT, tiny_request(num_images=2)))
    claim = store.claim(["tiny"], new_attempt_id(), "tessera-test-1")
    prefix = attempt_prefix(TENANT, claim.job.id, claim.attempt_id)
    for index in range(2):
        objects.put(f"{prefix}{index}.png", b"a picture", "image/png")
    image = StoredImage(
        index=0,
        key=f"{prefix}0.png",
        seed=7,
        width=64,
        height=64,
        format="png",
        bytes=9,
        sha256="",
    )
    store.add_image(claim.job.id, claim.attempt_id, image)
    return claim


def test_a_deleted_job_leaves_nothing(cleaner, store, objects, redis_pair, registry, attempt):
    job_id = attempt.job.id
    store.delete(job_id)
    cleaner.sweep()
    assert objects.list_keys("") == []
    assert not redis_pair.durable.exists(keys.job(job_id))
    deleted = registry.get_sample_value("tessera_objects_deleted_total", {"reason": "retention"})
    assert deleted == 2


def test_a_sweep_spares_told_pictures(cleaner, store, objects, redis_pair, registry, attempt):
    store.release(attempt.job.id, attempt.attempt_id)
    cleaner.sweep()
    prefix = attempt_prefix(TENANT, attempt.job.id, attempt.attempt_id)
    assert len(objects.list_keys(prefix)) == 2
    redis_pair.durable.zadd(keys.SWEEPS, {prefix: 0})  # as if the delay had passed
    cleaner.sweep()
    assert objects.list_keys(prefix) == [f"{prefix}0.png"]
    assert redis_pair.durable.zcard(keys.SWEEPS) == 0
    assert registry.get_sample_value("tessera_objects_deleted_total", {"reason": "orphan"}) == 1


def test_an_input_goes_with_its_record(cleaner, store, objects, redis_pair, registry):
    objects.put(input_key(TENANT, "in_1"), b"a picture", "image/png")
    store.reserve_input(TENANT, "in_1", width=8, height=8, size=9)
    store.confirm_input(TENANT, "in_1")
    cleaner.sweep()
    assert objects.list_keys("") != []
    redis_pair.durable.zadd(keys.INPUTS, {f"{TENANT}/in_1": 0})  # as if its time had passed
    cleaner.sweep()
    assert objects.list_keys("") == []
    assert store.find_input(TENANT, "in_1") is None
    assert registry.get_sample_value("tessera_objects_deleted_total", {"reason": "input"}) == 1
