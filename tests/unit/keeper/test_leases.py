"""Leases that ran out are taken back, with the tickets that they want; deadlines are kept."""

import pytest
from prometheus_client import CollectorRegistry

from keeper.leases import LeaseKeeper
from keeper.metrics import KeeperMetrics
from shared.ids import new_attempt_id, new_job_id
from shared.job import JobStatus
from shared.request import Priority
from shared.settings import JobSettings
from shared.store.job_store import JobStore
from shared.store.values import NewJob
from tests.harness import TENANT, wait_until
from tests.tiny_request import tiny_request


@pytest.fixture
def store(redis_pair):
    return JobStore(redis_pair, JobSettings(lease_seconds=0.05))


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def woken():
    return []


@pytest.fixture
def keeper(store, registry, woken):
    return LeaseKeeper(store, KeeperMetrics(registry), lambda: woken.append(True))


def test_a_silent_workers_job_is_taken_back(keeper, store, registry, woken):
    job_id = store.create(NewJob(new_job_id(), TENANT, tiny_request())).job_id
    store.claim(["tiny"], new_attempt_id(), "tessera-test-1")

    def taken_back():
        keeper.sweep()
        return store.get(job_id).status is JobStatus.QUEUED

    wait_until(taken_back, 10)
    assert keeper.take_tickets() == {("tiny", Priority.NORMAL): 1}
    assert not keeper.take_tickets()
    assert woken == [True]
    reaped = registry.get_sample_value("tessera_leases_reaped_total", {"reason": "lease_expired"})
    assert reaped == 1


def test_a_passed_deadline_ends_the_job(keeper, store, registry):
    request = tiny_request(deadline_seconds=0.01)
    job_id = store.create(NewJob(new_job_id(), TENANT, request)).job_id

    def expired():
        keeper.sweep()
        return store.get(job_id).status is JobStatus.EXPIRED

    wait_until(expired, 10)
    labels = {"model": "tiny", "status": "expired"}
    assert registry.get_sample_value("tessera_jobs_finished_total", labels) == 1
