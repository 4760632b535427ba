"""A store with jobs in it, for the parts of the worker that talk to one."""

import pytest

from shared.ids import new_attempt_id, new_job_id
from shared.settings import JobSettings
from shared.store.job_store import JobStore
from shared.store.values import NewJob
from tests.harness import TENANT
from tests.tiny_request import tiny_request
from worker.attempts import Attempt, Attempts

WORKER_ID = "tessera-test-1"


@pytest.fixture
def store(redis_pair):
    """An empty store."""
    return JobStore(redis_pair, JobSettings())


@pytest.fixture
def submit(store):
    """Makes a queued job; its id."""

    def submit(**fields):
        return store.create(NewJob(new_job_id(), TENANT, tiny_request(**fields))).job_id

    return submit


@pytest.fixture
def cancelled_samples():
    """Ids of jobs whose samples the engine was told to cancel."""
    return []


@pytest.fixture
def attempts(cancelled_samples):
    """Four slots."""
    return Attempts(4, cancelled_samples.append)


@pytest.fixture
def claim(store, submit, attempts):
    """Claims a new job; its attempt, which holds a slot."""

    def claim(**fields):
        submit(**fields)
        claimed = store.claim(["tiny"], new_attempt_id(), WORKER_ID)
        attempt = Attempt(claimed.job, claimed.attempt_id, suspect=False, sequence=0)
        attempts.add(attempt)
        return attempt

    return claim
