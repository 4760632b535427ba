"""A prompt over HTTP becomes a picture in S3, and everything a client can do with its job."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tessera.answers import Job
from tessera.client import Client, Refused
from tests.e2e.looking import pixels
from tests.e2e.running import RunningStack

pytestmark = pytest.mark.timeout(300)  # starting a stack takes its time on a busy machine

LONG = {"steps": 150, "width": 256, "height": 256, "num_images": 8}
QUICK = {"steps": 4, "seed": 7}


@pytest.fixture
def busy(client: Client) -> Iterator[list[Job]]:
    """Every ordinary slot holds a job that takes minutes."""
    jobs = [client.submit("a slow picture", **LONG) for _ in range(4)]
    for job in jobs:
        until(client, job, "running")
    yield jobs
    for job in jobs:
        client.cancel(job.id)


def until(client: Client, job: Job, status: str) -> None:
    for event in client.events(job.id):
        if event.data.get("status") == status:
            return
    raise AssertionError(f"{job.id} was never {status}")


def test_a_prompt_becomes_a_picture(client: Client):
    job = client.wait(client.submit("a red apple", **QUICK).id)
    assert job.status == "succeeded"
    assert job.request["seed"] == 7
    (image,) = job.images
    data = client.image(job.id)
    assert hashlib.sha256(data).hexdigest() == image.sha256
    assert len(data) == image.bytes
    assert pixels(data).shape == (image.height, image.width, 3) == (128, 128, 3)


def test_a_presigned_link_needs_no_key_and_bears_no_change(client: Client):
    job = client.wait(client.submit("a red apple", **QUICK).id)
    url = job.images[0].url
    assert httpx2.get(url).content == client.image(job.id)
    assert httpx2.get(url + "0").status_code == httpx2.codes.FORBIDDEN


def test_one_call_to_a_png(stack: RunningStack):
    answer = httpx2.post(
        f"{stack.url}/v1/jobs",
        json={"prompt": "a red apple", **QUICK},
        headers={"Prefer": "wait=60", "Accept": "image/png"},
        timeout=70,
    )
    assert answer.status_code == httpx2.codes.OK
    assert answer.headers["Content-Type"] == "image/png"
    assert pixels(answer.content).shape == (128, 128, 3)


def test_waiting_answers_with_the_ended_job(stack: RunningStack):
    answer = httpx2.post(
        f"{stack.url}/v1/jobs",
        json={"prompt": "a red apple", **QUICK},
        headers={"Prefer": "wait=60"},
        timeout=70,
    )
    assert (answer.status_code, answer.json()["status"]) == (httpx2.codes.OK, "succeeded")


def test_the_list_is_newest_first_in_pages(client: Client):
    jobs = [client.submit("a red apple", **QUICK).id for _ in range(3)]
    first = client.list_jobs(limit=2)
    assert [job.id for job in first.data] == [jobs[2], jobs[1]]
    assert client.list_jobs(limit=1, cursor=first.next).data[0].id == jobs[0]
    for job in jobs:
        client.wait(job)


def test_a_queued_job_is_cancelled(client: Client, busy: list[Job]):
    waiting = client.submit("never drawn", **QUICK)
    assert client.cancel(waiting.id).status == "canceled"
    assert client.get(waiting.id).attempts == 0
    assert client.cancel(waiting.id).status == "canceled"


def test_running_jobs_are_cancelled_and_their_slots_are_free_again(client: Client, busy: list[Job]):
    for job in busy:
        assert client.cancel(job.id).status == "canceled"
    assert client.wait(client.submit("next", **QUICK).id, seconds=30).status == "succeeded"
    assert {client.get(job.id).status for job in busy} == {"canceled"}


def test_a_deleted_job_and_its_picture_are_gone(client: Client):
    job = client.wait(client.submit("a red apple", **QUICK).id)
    client.delete(job.id)
    with pytest.raises(Refused) as refused:
        client.get(job.id)
    assert refused.value.status == httpx2.codes.NOT_FOUND
    assert httpx2.get(job.images[0].url).status_code == httpx2.codes.NOT_FOUND


def test_events_resume_with_exactly_the_missing_ones(stack: RunningStack, client: Client):
    job = client.submit("two apples", num_images=2, **QUICK)
    kept = [event for event in client.events(job.id) if event.type != "progress"]
    assert [event.type for event in kept[-3:]] == ["image", "image", "status"]
    assert kept[-1].data["status"] == "succeeded"
    for position, event in enumerate(kept[:-1]):
        resumed = client.events(job.id, last_event_id=event.id)
        assert [e.id for e in resumed if e.type != "progress"] == [
            e.id for e in kept[position + 1 :]
        ]
    after = httpx2.get(
        f"{stack.url}/v1/jobs/{job.id}/events", headers={"Last-Event-ID": kept[-1].id}
    )
    assert after.status_code == httpx2.codes.NO_CONTENT


def test_one_idempotency_key_is_one_job(client: Client):
    def submit(_: int) -> str:
        return client.submit("only once", idempotency_key="e2e-once", **QUICK).id

    with ThreadPoolExecutor(50) as pool:
        ids = set(pool.map(submit, range(50)))
    assert len(ids) == 1
    with pytest.raises(Refused) as refused:
        client.submit("something else", idempotency_key="e2e-once", **QUICK)
    assert refused.value.status == httpx2.codes.UNPROCESSABLE_CONTENT
    assert client.wait(ids.pop()).status == "succeeded"
