"""A failed job is tried again as a new one; the old one stays as it ended."""

import pytest

from shared.errors import NotFound
from shared.ids import new_attempt_id, new_job_id
from shared.job import JobError, JobStatus, Timing
from shared.request import InputRef
from shared.settings import JobSettings
from shared.store.again import submit_again
from shared.store.job_store import JobStore
from shared.store.values import NewJob
from tests.tiny_request import tiny_request

ERROR = JobError(code="generation_invalid", detail="black", retryable=False)


@pytest.fixture
def store(redis_pair):
    return JobStore(redis_pair, JobSettings())


def failed(store, **fields):
    job_id = new_job_id()
    store.create(NewJob(job_id, "acme", tiny_request(**fields)))
    attempt = new_attempt_id()
    store.claim(["tiny"], attempt, "worker")
    store.fail(job_id, attempt, ERROR, timing=Timing())
    return job_id


def test_the_request_is_submitted_again(store):
    job_id = failed(store, seed=7)
    before = store.get(job_id)
    again = store.get(submit_again(store, job_id))
    assert again.id != job_id
    assert (again.status, again.tenant) == (JobStatus.QUEUED, "acme")
    assert again.request == before.request
    assert store.get(job_id) == before


def test_only_what_has_failed(store):
    job_id = submit_again(store, failed(store))
    for name in (job_id, "job_unknown"):
        with pytest.raises(NotFound):
            submit_again(store, name)


def test_not_without_its_pictures(store):
    gone = InputRef(id="in_gone", width=64, height=64)
    with pytest.raises(NotFound, match="picture"):
        submit_again(store, failed(store, image=gone))
