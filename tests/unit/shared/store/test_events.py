"""What is told of a job, to readers and to listeners."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from shared.job import JobWarning, Progress
from shared.store.events import CHANNEL_PATTERN, Event, job_of_channel, parse_message
from shared.store.scripts import EVENTS_KEPT
from tests.unit.shared.store.world import TIMING, WORKER, World, make_image

CHUNKED = JobWarning(code="prompt_chunked", detail='two\nlines and a "quote" and \u2028')
FITTED = JobWarning(code="image_fitted", detail="cut")


@pytest.fixture
def listener(world: World) -> Iterator[Any]:
    """Hears every event and every word to the worker."""
    with world.raw.pubsub() as pubsub:
        pubsub.psubscribe(CHANNEL_PATTERN, "tessera:control:*")
        for _ in range(2):
            assert pubsub.get_message(timeout=5)["type"] == "psubscribe"
        yield pubsub


def heard(listener: Any, number: int) -> list[dict[str, Any]]:
    """The next messages, and no more than those are there."""
    messages = [listener.get_message(timeout=5) for _ in range(number)]
    assert listener.get_message(timeout=0.05) is None
    return messages


def everything(world: World, job_id: str) -> list[Event]:
    """All events that are kept."""
    found = world.raw.xrange(f"tessera:events:{job_id}")
    return [Event(id, entry["type"], json.loads(entry["data"])) for id, entry in found]


def test_every_fact_is_kept_and_published_once(world: World, listener: Any) -> None:
    job_id = world.create(warnings=(CHUNKED,), num_images=2).job_id
    claim = world.claim()
    world.add_image(claim, 1)
    world.add_image(claim, 0)
    world.store.commit(job_id, claim.attempt_id, timing=TIMING, warnings=[FITTED])
    events = everything(world, job_id)
    assert [(event.type, event.data) for event in events] == [
        ("status", {"status": "queued", "attempts": 0}),
        ("warning", CHUNKED.model_dump()),
        ("status", {"status": "running", "attempts": 1}),
        ("image", make_image(claim, 1).model_dump()),
        ("image", make_image(claim, 0).model_dump()),
        ("warning", FITTED.model_dump()),
        ("status", {"status": "succeeded", "attempts": 1}),
    ]
    messages = heard(listener, 7)
    assert [parse_message(message["data"]) for message in messages] == events
    assert {job_of_channel(message["channel"]) for message in messages} == {job_id}
    job = world.store.get(job_id)
    assert job is not None
    assert job.warnings == (CHUNKED, FITTED)


def test_a_failure_tells_its_error(world: World) -> None:
    claim = world.bring("failed")
    assert everything(world, claim.job.id)[-1].data == {
        "status": "failed",
        "attempts": 1,
        "error": {"code": "resource_exhausted", "detail": "too large", "retryable": False},
    }


def test_reading_goes_on_after_the_last_event_that_was_seen(world: World) -> None:
    claim = world.bring("succeeded")
    events = everything(world, claim.job.id)
    for seen, event in enumerate(events):
        assert event.id is not None
        assert world.events.read(claim.job.id, event.id) == events[seen + 1 :]


@pytest.mark.parametrize("garbage", ["", "0", "abc", "-", "1-", "9" * 40 + "-0", "1-1; DEL", "0-0"])
def test_an_unknown_place_is_none(world: World, garbage: str) -> None:
    assert world.events.read(world.submit(), garbage) is None


def test_a_trimmed_place_is_none(world: World) -> None:
    job_id = world.submit()
    first = everything(world, job_id)[0].id
    assert first is not None
    while len(events := everything(world, job_id)) < EVENTS_KEPT or events[0].id == first:
        world.release(world.claim())
    assert len(events) == EVENTS_KEPT
    assert world.events.read(job_id, first) is None
    assert events[0].id is not None
    assert world.events.read(job_id, events[0].id) == events[1:]


def test_a_snapshot_knows_the_last_event_that_it_includes(world: World) -> None:
    claim = world.start()
    world.store.report_progress({claim.job.id: Progress(step=1, steps=4)})
    snapshot = world.events.snapshot(claim.job.id)
    assert snapshot is not None
    assert snapshot.job == world.store.get(claim.job.id)
    assert snapshot.job.progress.fraction == 0.25
    assert world.events.read(claim.job.id, snapshot.last_event_id) == []
    world.add_image(claim)
    news = world.events.read(claim.job.id, snapshot.last_event_id)
    assert news is not None
    assert [event.type for event in news] == ["image"]


@pytest.mark.parametrize("state", ["deleted", "forgotten"])
def test_there_is_no_snapshot_of_a_deleted_job(world: World, state: str) -> None:
    assert world.events.snapshot(world.bring(state).job.id) is None


def test_progress_is_told_in_passing(world: World, listener: Any) -> None:
    claims = [world.start(), world.start()]
    heard(listener, 4)
    latest = {claim.job.id: Progress(step=i + 1, steps=9) for i, claim in enumerate(claims)}
    world.store.report_progress(latest)
    for message, (job_id, progress) in zip(heard(listener, 2), latest.items(), strict=True):
        assert job_of_channel(message["channel"]) == job_id
        assert parse_message(message["data"]) == Event(None, "progress", progress.model_dump())
        job = world.store.get(job_id)
        assert job is not None
        assert job.progress == progress


@pytest.mark.parametrize("act", ["cancel", "delete", "expire"])
def test_whoever_ends_a_running_job_tells_its_worker(world: World, listener: Any, act: str) -> None:
    claim = world.start(deadline_seconds=60.0)
    heard(listener, 2)
    actions = {"cancel": world.store.cancel, "delete": world.store.delete, "expire": world.expire}
    actions[act](claim.job.id)
    told, word = heard(listener, 2)
    assert parse_message(told["data"]).type == "status"
    assert word["channel"] == f"tessera:control:{WORKER}"
    assert json.loads(word["data"]) == {
        "type": "cancel",
        "job_id": claim.job.id,
        "attempt_id": claim.attempt_id,
    }


def test_no_worker_is_told_of_a_queued_job(world: World, listener: Any) -> None:
    world.store.cancel(world.submit())
    assert {message["pattern"] for message in heard(listener, 2)} == {CHANNEL_PATTERN}
