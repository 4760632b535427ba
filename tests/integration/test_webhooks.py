"""Webhooks on their way: receivers of every kind, and a sender that dies."""

import asyncio
import json
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from prometheus_client import CollectorRegistry

from keeper.metrics import KeeperMetrics
from keeper.settings import WebhookSettings
from keeper.webhooks import WebhookSender
from shared.errors import OutboundRefused
from shared.ids import new_attempt_id, new_job_id
from shared.job import StoredImage, Timing
from shared.outbound.client import Outbound
from shared.outbound.settings import OutboundSettings
from shared.request import Webhook
from shared.settings import JobSettings
from shared.signature import new_secret
from shared.store.deliveries import DeliveryStore
from shared.store.job_store import JobStore
from shared.store.scripts import FLIGHTS_PER_TARGET
from shared.store.signing import SigningSecrets
from shared.store.values import NewJob
from shared.store.webhook_route import webhook_route
from tests.harness import wait_until
from tests.receiver import answering, at_first, hanging, receiving, resetting
from tests.tiny_request import tiny_request

SECRET = new_secret()
OPEN = OutboundSettings(outbound_allow="127.0.0.0/8:*")
QUICK = {"webhook_schedule": (0.1, 0.1, 0.1, 0.1), "webhook_timeout_seconds": 30}


class Scene:
    """A store with a signing secret, and what a sender needs."""

    def __init__(self, redis_pair):
        self.redis = redis_pair
        self.store = JobStore(redis_pair, JobSettings())
        self.deliveries = DeliveryStore(redis_pair, JobSettings())
        self.signing = SigningSecrets(redis_pair.durable)
        self.signing.adopt("owner", SECRET)
        self.registry = CollectorRegistry()
        self.metrics = KeeperMetrics(self.registry)

    def sender(self, outbound=OPEN, **settings):
        return WebhookSender(
            self.deliveries,
            self.signing,
            Outbound(outbound),
            WebhookSettings(**QUICK | settings),
            self.metrics,
        )

    def submit(self, url, tenant="ada", events=("canceled",)):
        request = tiny_request(webhook=Webhook(url=url, events=events))
        job_id = new_job_id()
        location = f"https://pictures.example/v1/jobs/{job_id}"
        webhook = webhook_route(request, tenant, "owner", location)
        self.store.create(NewJob(job_id, tenant, request, webhook=webhook))
        return job_id

    def end(self, url, tenant="ada"):
        """A job that has been canceled: its id."""
        job_id = self.submit(url, tenant)
        self.store.cancel(job_id)
        return job_id

    def record(self, job_id, tenant="ada"):
        (record,) = self.deliveries.of_job(tenant, job_id)
        return record

    def statuses(self, job_id):
        return [one.status for one in self.record(job_id).tries]

    def wait_for(self, job_id, status, tenant="ada"):
        wait_until(lambda: self.record(job_id, tenant).status == status, 10, status)

    def count(self, outcome):
        return self.registry.get_sample_value(
            "tessera_webhook_deliveries_total", {"outcome": outcome}
        )


@pytest.fixture
def scene(redis_pair):
    return Scene(redis_pair)


@pytest.fixture
def sender(scene):
    sender = scene.sender()
    sender.start()
    yield sender
    sender.stop()


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


def test_a_webhook_arrives_signed(scene, sender, receiver):
    job_id = scene.end(f"{receiver.url}/hook?a=b")
    scene.wait_for(job_id, "delivered")
    (received,) = receiver.verified(SECRET)
    assert received.path == "/hook?a=b"
    assert received.headers["content-type"] == "application/json"
    assert json.loads(received.body)["data"]["id"] == job_id
    assert scene.statuses(job_id) == [200]
    wait_until(lambda: scene.count("delivered") == 1, 10)


@pytest.mark.parametrize("status", [500, 404, 302, 429])
def test_what_is_not_2xx_is_tried_again_with_the_same_id_and_body(scene, sender, receiver, status):
    refusing = answering(status, location=f"{receiver.url}/elsewhere")
    receiver.behaviour = at_first(2, refusing, answering(204))
    job_id = scene.end(receiver.url)
    scene.wait_for(job_id, "delivered")
    assert len({one.id for one in receiver.verified(SECRET)}) == 1
    assert len({one.body for one in receiver.received}) == 1
    assert {one.path for one in receiver.received} == {"/"}
    assert scene.statuses(job_id) == [status, status, 204]


@pytest.mark.parametrize("behaviour", [hanging, resetting], ids=["hang", "reset"])
def test_no_answer_is_tried_again(scene, receiver, behaviour):
    receiver.behaviour = at_first(1, behaviour, answering(200))
    sender = scene.sender(webhook_timeout_seconds=2)
    sender.start()
    job_id = scene.end(receiver.url)
    scene.wait_for(job_id, "delivered")
    sender.stop()
    assert scene.statuses(job_id) == [None, 200]


def test_the_schedule_ends(scene, sender, receiver):
    receiver.behaviour = answering(500)
    job_id = scene.end(receiver.url)
    scene.wait_for(job_id, "failed")
    assert scene.statuses(job_id) == [500] * 5
    assert scene.record(job_id).next_try_at is None
    assert scene.deliveries.pending() == 0


def test_ten_gigabytes_are_not_read(scene, sender, receiver):
    sent = []

    async def endless(_received, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()
            sent.append(65_536)

    receiver.behaviour = endless
    job_id = scene.end(receiver.url)
    scene.wait_for(job_id, "delivered")
    assert sum(sent) < 20_000_000  # what the kernel takes before it hears that nobody reads


@pytest.mark.parametrize("dated", [False, True])
def test_retry_after_is_honoured(scene, sender, receiver, dated):
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    receiver.behaviour = answering(503, retry_after=date if dated else 3600)
    job_id = scene.end(receiver.url)
    wait_until(lambda: scene.statuses(job_id) == [503], 10)
    record = scene.record(job_id)
    assert record.next_try_at - record.tries[0].at > 3500


def test_410_disables_and_redelivery_enables(scene, sender, receiver):
    receiver.behaviour = answering(410)
    first = scene.end(f"{receiver.url}/hook")
    scene.wait_for(first, "failed")
    second = scene.end(f"{receiver.url}/hook")
    assert scene.record(second).status == "disabled"
    receiver.behaviour = answering(200)
    scene.deliveries.redeliver("ada", scene.record(second).id)
    scene.wait_for(second, "delivered")
    third = scene.end(f"{receiver.url}/hook")
    scene.wait_for(third, "delivered")
    assert scene.statuses(first) == [410]


def test_an_endpoint_that_fails_for_too_long_is_disabled(scene, receiver):
    receiver.behaviour = answering(500)
    sender = scene.sender(webhook_patience_seconds=0.2)
    sender.start()
    job_id = scene.end(receiver.url)
    scene.wait_for(job_id, "failed")
    assert len(scene.statuses(job_id)) < 5
    later = scene.end(receiver.url)
    assert scene.record(later).status == "disabled"
    scene.deliveries.enable("ada", receiver.url)
    receiver.behaviour = answering(200)
    again = scene.end(receiver.url)
    scene.wait_for(again, "delivered")
    sender.stop()


def test_both_secrets_sign_during_a_rotation(scene, sender, receiver):
    new = scene.signing.rotate("owner")
    scene.wait_for(scene.end(receiver.url), "delivered")
    assert receiver.verified(SECRET) == receiver.verified(new)


def test_nothing_is_sent_unsigned(scene, sender, receiver):
    scene.redis.durable.delete("tessera:signing:owner")
    job_id = scene.end(receiver.url)
    wait_until(lambda: len(scene.statuses(job_id)) > 0, 10)
    assert receiver.received == []


def test_an_address_that_has_become_private_is_not_dialled(scene, receiver):
    job_id = scene.end(receiver.url)
    sender = scene.sender(OutboundSettings())
    with pytest.raises(OutboundRefused):
        asyncio.run(Outbound(OutboundSettings()).check(receiver.url))
    sender.start()
    wait_until(lambda: scene.statuses(job_id)[:1] == [None], 10)
    sender.stop()
    assert receiver.received == []


def test_hanging_receivers_of_one_tenant_delay_nobody(scene, receiver):
    """Neither another tenant nor the same one's other receivers."""
    sender = scene.sender(webhook_timeout_seconds=60)
    with receiving(hanging, ports=20) as slow:
        for url in slow.urls * 6:
            scene.end(url, "eve")
        sender.start()
        wait_until(lambda: len(slow.received) == 20 * FLIGHTS_PER_TARGET, 20)
        for tenant in ("ada", "eve"):
            job_id = scene.end(receiver.url, tenant)
            scene.wait_for(job_id, "delivered", tenant=tenant)
        assert len(slow.received) == 20 * FLIGHTS_PER_TARGET
    sender.stop()


def test_two_senders_send_each_event_once(scene, receiver):
    senders = [scene.sender(), scene.sender()]
    for sender in senders:
        sender.start()
    ids = [scene.end(receiver.url) for _ in range(60)]
    wait_until(lambda: scene.deliveries.pending() == 0, 20)
    for sender in senders:
        sender.stop()
    assert len(receiver.verified(SECRET)) == len(ids)
    assert len(receiver.bodies()) == len(ids)


def test_cancel_races_commit(scene, sender, receiver):
    """One terminal state, one terminal event, one webhook each."""
    events = ("succeeded", "canceled")
    ids = [scene.submit(receiver.url, events=events) for _ in range(200)]
    claims = [scene.store.claim(["tiny"], new_attempt_id(), "w") for _ in ids]
    for claim in claims:
        image = StoredImage(
            index=0, key="k", seed=1, width=64, height=64, format="png", bytes=1, sha256=""
        )
        scene.store.add_image(claim.job.id, claim.attempt_id, image)

    def commit(claim):
        scene.store.commit(claim.job.id, claim.attempt_id, timing=Timing())

    with ThreadPoolExecutor(2) as threads:
        for claim in claims:
            acts = [
                threads.submit(commit, claim),
                threads.submit(scene.store.cancel, claim.job.id),
            ]
            for act in acts if random.random() < 0.5 else reversed(acts):
                act.result()
    wait_until(lambda: scene.deliveries.pending() == 0, 30)
    assert len(receiver.verified(SECRET)) == 200
    told = {}
    for one in receiver.received:
        body = json.loads(one.body)
        told[body["data"]["id"]] = body["type"]
    for job_id in ids:
        job = scene.store.get(job_id)
        assert told[job_id] == f"job.{job.status}"
        history = scene.redis.durable.xrange(f"tessera:events:{job_id}")
        ends = [e for _, e in history if e["type"] == "status" and job.status in e["data"]]
        assert len(ends) == 1
