"""The outbox: which transitions write a webhook, with which bytes, and to whom it is lent."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.job import JobWarning
from shared.request import Webhook, WebhookEvent
from shared.settings import JobSettings
from shared.store.deliveries import DeliveryStatus, DeliveryStore, LentDelivery, Try, Verdict
from shared.store.scripts import FLIGHTS_PER_TARGET, FLIGHTS_PER_TENANT
from shared.store.signing import SigningSecrets
from shared.store.webhook_route import webhook_route
from tests.unit.shared.store.world import LASTING, PASSING, World, make_request

ALL = tuple(WebhookEvent)
LEASE = 30.0
LOCATION = "https://pictures.example/v1/jobs/job_x"


@pytest.fixture
def deliveries(world: World) -> DeliveryStore:
    return DeliveryStore(world.redis, JobSettings())


def route(tenant: str = "ada", url: str = "https://a.test/hook", events: Any = ALL, **fields: Any):
    request = make_request(webhook=Webhook(url=url, events=events), **fields)
    return webhook_route(request, tenant, "owner", LOCATION)


def submit(world: World, tenant: str = "ada", **options: Any) -> str:
    fields = {name: value for name, value in options.items() if name not in ("url", "events")}
    return world.create(tenant, webhook=route(tenant, **options), **fields).job_id


def start(world: World, **options: Any):
    submit(world, **options)
    return world.claim()


def claim(store: DeliveryStore, limit: int = 1000) -> list[LentDelivery]:
    return store.claim(limit, LEASE)


def settle(store: DeliveryStore, lent: LentDelivery, verdict: Verdict, **pauses: float):
    seconds = {"pause_seconds": 60.0, "patience_seconds": 1000.0} | pauses
    return store.settle(lent, verdict, Try(at=1.5, status=500), **seconds)


def types(lent: list[LentDelivery]) -> list[str]:
    return [json.loads(one.body)["type"] for one in lent]


def pass_time(world: World) -> None:
    """Let every wait be over."""
    for key in world.raw.scan_iter("tessera:webhooks:*"):
        if not key.endswith("pending"):
            for member in world.raw.zrange(key, 0, -1):
                world.raw.zadd(key, {member: 1})


def test_a_success_writes_started_and_succeeded(world: World, deliveries: DeliveryStore) -> None:
    held = start(world, num_images=2, metadata={"order": "7"})
    (started,) = claim(deliveries)
    assert deliveries.pending() == 1
    world.add_image(held, 0, trajectory=True)
    world.add_image(held, 1)
    assert claim(deliveries) == []
    world.commit(held)
    world.commit(held)
    (succeeded,) = claim(deliveries)
    assert types([started, succeeded]) == ["job.started", "job.succeeded"]
    assert started.id == f"msg_{held.job.id[4:]}_started"
    body = json.loads(succeeded.body)
    job = world.store.get(held.job.id)
    assert job is not None
    assert body["timestamp"] == body["data"]["finished_at"]
    data = body["data"]
    assert (data["id"], data["status"], data["attempts"]) == (job.id, "succeeded", 1)
    assert data["timing"]["total_ms"] == 70
    assert data["error"] is None
    assert data["request"]["metadata"] == {"order": "7"}
    assert "prompt" not in data["request"]
    assert data["links"] == {"self": LOCATION}
    for index, image in enumerate(data["images"]):
        assert image.pop("url") == f"{LOCATION}/images/{index}"
        assert image.pop("url_expires_at") is None
        if image["trajectory"]:
            assert image["trajectory"].pop("url") == f"{LOCATION}/images/{index}/trajectory"
            assert image["trajectory"].pop("url_expires_at") is None
        hidden = {"key": True, "trajectory": {"key"}}
        assert image == job.images[index].model_dump(exclude=hidden)
    assert [image["trajectory"] is None for image in data["images"]] == [False, True]


@pytest.mark.parametrize(
    "microseconds",
    [0, 951_782_400_000_001, 1_709_164_799_999_999, 1_709_251_200_000_000, 4_102_444_799_123_456],
)
def test_moments_are_in_the_calendar(
    world: World, deliveries: DeliveryStore, microseconds: int
) -> None:
    held = start(world, events=("canceled",))
    world.raw.hset(f"tessera:job:{held.job.id}", "started_at", microseconds)
    world.store.cancel(held.job.id)
    (lent,) = claim(deliveries)
    told = datetime.fromisoformat(json.loads(lent.body)["data"]["started_at"])
    assert told - datetime.fromtimestamp(0, UTC) == timedelta(microseconds=microseconds)


@pytest.mark.parametrize(
    ("ending", "event"),
    [("fail", "failed"), ("cancel", "canceled"), ("expire", "expired"), ("delete", "canceled")],
)
def test_every_end_writes_one(
    world: World, deliveries: DeliveryStore, ending: str, event: str
) -> None:
    job_id = submit(world, events=("succeeded", event), deadline_seconds=60.0)
    held = world.claim()
    acts: dict[str, Any] = {
        "fail": lambda: world.fail(held, LASTING),
        "cancel": lambda: world.store.cancel(job_id),
        "expire": lambda: world.expire(job_id),
        "delete": lambda: world.store.delete(job_id),
    }
    acts[ending]()
    world.commit(held)
    world.store.cancel(job_id)
    assert types(claim(deliveries)) == [f"job.{event}"]


def test_another_attempt_starts_silently(world: World, deliveries: DeliveryStore) -> None:
    held = start(world, events=("started", "failed"))
    world.fail(held, PASSING)
    again = world.claim()
    world.release(again)
    world.claim()
    assert types(claim(deliveries)) == ["job.started"]


def test_the_filter_counts_and_no_webhook_writes_none(
    world: World, deliveries: DeliveryStore
) -> None:
    world.finish(world.start())
    world.finish(start(world, events=("failed",)))
    assert deliveries.pending() == 0
    assert not list(world.raw.scan_iter("tessera:delivery:*"))


def test_the_longest_body_is_under_20_kb(world: World, deliveries: DeliveryStore) -> None:
    metadata = {f"{'k' * 62}{i:02}": "🎨" * 256 for i in range(16)}
    webhook = route(metadata=metadata, num_images=8, prompt="p" * 4000)
    warnings = tuple(JobWarning(code="prompt_chunked", detail="w" * 200) for _ in range(10))
    world.create(webhook=webhook, warnings=warnings, num_images=8)
    world.finish(world.claim())
    body = claim(deliveries)[-1].body
    assert len(body) < 20_000
    assert "metadata" not in json.loads(body)["data"]["request"]


def test_a_try_is_repeated_with_the_same_bytes_until_the_schedule_ends(
    world: World, deliveries: DeliveryStore
) -> None:
    start(world)
    (first,) = claim(deliveries)
    assert settle(deliveries, first, Verdict.RETRY) is DeliveryStatus.PENDING
    assert claim(deliveries) == []
    pass_time(world)
    (second,) = claim(deliveries)
    assert (second.id, second.body) == (first.id, first.body)
    assert (second.number, second.round) == (2, 2)
    assert settle(deliveries, second, Verdict.FAILED) is DeliveryStatus.FAILED
    assert deliveries.pending() == 0
    pass_time(world)
    assert claim(deliveries) == []


def test_a_dead_senders_delivery_is_lent_again_and_its_late_word_is_weighed(
    world: World, deliveries: DeliveryStore
) -> None:
    held = start(world)
    (dead,) = claim(deliveries)
    pass_time(world)
    (alive,) = claim(deliveries)
    assert alive.number == 2
    assert settle(deliveries, dead, Verdict.RETRY) is None
    assert settle(deliveries, dead, Verdict.DELIVERED) is DeliveryStatus.DELIVERED
    assert settle(deliveries, alive, Verdict.RETRY) is None
    (record,) = deliveries.of_job("ada", held.job.id)
    assert record.status is DeliveryStatus.DELIVERED
    assert record.tries == (Try(at=1.5, status=500),)


def test_flights_are_limited_by_receiver_and_by_tenant(
    world: World, deliveries: DeliveryStore
) -> None:
    for number in range(FLIGHTS_PER_TARGET + 2):
        start(world, url=f"https://slow.test/{number}")
    lent = claim(deliveries)
    assert len(lent) == FLIGHTS_PER_TARGET
    settle(deliveries, lent[0], Verdict.DELIVERED)
    assert len(claim(deliveries)) == 1

    for number in range(FLIGHTS_PER_TENANT + 5):
        start(world, url=f"https://{number}.test/")
    assert len(claim(deliveries)) == FLIGHTS_PER_TENANT - FLIGHTS_PER_TARGET
    start(world, tenant="bob")
    (other,) = claim(deliveries)
    assert other.url == "https://a.test/hook"
    pass_time(world)
    assert len(claim(deliveries)) == FLIGHTS_PER_TENANT + 1


def test_gone_disables_the_endpoint_not_its_host(world: World, deliveries: DeliveryStore) -> None:
    gone, same, other = (
        start(world, url=f"https://a.test/{path}").job.id for path in ("x?1", "x?2", "y")
    )
    first = next(one for one in claim(deliveries, 3) if one.url.endswith("x?1"))
    assert settle(deliveries, first, Verdict.GONE) is DeliveryStatus.FAILED
    pass_time(world)
    assert [one.url for one in claim(deliveries)] == ["https://a.test/y"]
    later = start(world, url="https://a.test/x").job.id
    assert claim(deliveries) == []
    statuses = [deliveries.of_job("ada", job)[0].status for job in (gone, same, other, later)]
    assert statuses == ["failed", "disabled", "pending", "disabled"]
    undelivered = deliveries.undelivered("ada", DeliveryStatus.DISABLED, 10)
    assert [record.job_id for record in undelivered] == [later, same]

    deliveries.enable("ada", "https://a.test/x")
    start(world, url="https://a.test/x")
    assert [one.url for one in claim(deliveries)] == ["https://a.test/x"]


def test_days_of_failure_disable_and_a_success_ends_them(
    world: World, deliveries: DeliveryStore
) -> None:
    start(world)
    (first,) = claim(deliveries)
    settle(deliveries, first, Verdict.RETRY)
    pass_time(world)
    (second,) = claim(deliveries)
    patient = settle(deliveries, second, Verdict.RETRY, patience_seconds=0.0)
    assert patient is DeliveryStatus.FAILED
    start(world)
    assert claim(deliveries) == []
    record = deliveries.redeliver("ada", second.id)
    assert record is not None
    assert record.status is DeliveryStatus.PENDING
    (again,) = claim(deliveries)
    assert (again.id, again.number, again.round) == (first.id, 3, 1)
    settle(deliveries, again, Verdict.DELIVERED)
    start(world)
    assert len(claim(deliveries)) == 1


def test_redelivery_sends_the_same_bytes_and_is_the_tenants(
    world: World, deliveries: DeliveryStore
) -> None:
    held = start(world)
    (first,) = claim(deliveries)
    settle(deliveries, first, Verdict.DELIVERED)
    assert world.raw.ttl(f"tessera:delivery:{first.id}") > 0
    assert deliveries.redeliver("bob", first.id) is None
    assert deliveries.of_job("bob", held.job.id) == []
    assert deliveries.redeliver("ada", "msg_none") is None
    assert claim(deliveries) == []
    assert deliveries.redeliver("ada", first.id)
    (again,) = claim(deliveries)
    assert (again.id, again.body, again.round) == (first.id, first.body, 1)
    deliveries.redeliver("ada", first.id)  # in flight already
    assert claim(deliveries) == []


def test_nothing_lasts_but_records_of_ended_deliveries(
    world: World, deliveries: DeliveryStore
) -> None:
    held = start(world)
    world.finish(held)
    for lent in claim(deliveries):
        settle(deliveries, lent, Verdict.DELIVERED)
    assert not list(world.raw.scan_iter("tessera:webhooks:*"))
    assert all(world.raw.ttl(key) > 0 for key in world.raw.scan_iter("tessera:delivery:*"))
    assert not list(world.raw.scan_iter("tessera:endpoint:*"))


def test_rotation_signs_with_both(world: World) -> None:
    secrets = SigningSecrets(world.redis.durable)
    assert secrets.of("owner") == ()
    secrets.ensure("owner")
    (first,) = secrets.of("owner")
    secrets.ensure("owner")
    second = secrets.rotate("owner")
    assert secrets.of("owner") == (second, first)
    for _ in range(2):
        secrets.adopt("owner", "whsec_given")
        assert secrets.of("owner") == ("whsec_given", second)
