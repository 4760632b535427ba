"""Previews and trajectories of one attempt, on real servers."""

import dataclasses
import io

from PIL import Image

from shared.ids import attempt_prefix
from shared.job import JobStatus
from shared.store.events import CHANNEL_PATTERN, parse_message
from tests.harness import TENANT
from worker.tasks import work


def test_a_running_job_is_seen(shop, store, submit, claim, redis_pair):
    job_id = submit(preview_every=1, steps=6, width=128, height=64)
    with redis_pair.durable.pubsub() as listener:
        listener.psubscribe(CHANNEL_PATTERN)
        work(shop, claim())
        previews = []
        while message := listener.get_message(timeout=2):
            if message["type"] == "pmessage":
                event = parse_message(message["data"])
                previews += [event.data] if event.type == "preview" else []
    assert {(preview["index"], preview["steps"]) for preview in previews} == {(0, 6)}
    seen = [preview["step"] for preview in previews]  # a newer one may overtake the first
    assert seen == sorted(set(seen))
    assert set(seen) <= set(range(1, 7))
    picture = Image.open(io.BytesIO(store.preview(job_id)))
    assert (picture.format, picture.size) == ("JPEG", (128, 64))


def test_a_trajectory_lies_beside_its_picture(shop, store, submit, claim):
    job_id = submit(trajectory=True, num_images=2, steps=5)
    attempt = claim()
    work(shop, attempt)
    job = store.get(job_id)
    assert job.status is JobStatus.SUCCEEDED
    prefix = attempt_prefix(TENANT, job_id, attempt.attempt_id)
    assert sorted(key for image in job.images for key in image.keys) == sorted(
        f"{prefix}{name}" for name in ("0.png", "0.trajectory.webp", "1.png", "1.trajectory.webp")
    )
    for image in job.images:
        stored = shop.objects.get(image.trajectory.key)
        assert len(stored) == image.trajectory.bytes
        animated = Image.open(io.BytesIO(stored))
        assert (animated.format, animated.size) == ("WEBP", (64, 64))
        assert 2 <= animated.n_frames <= 6  # equal neighbours are one frame
    assert store.preview(job_id) is None


def test_a_lost_attempt_removes_its_trajectory_too(shop, store, submit, claim):
    submit(trajectory=True)
    attempt = claim()
    store.release(attempt.job.id, attempt.attempt_id)
    claim()
    work(shop, attempt)
    prefix = attempt_prefix(TENANT, attempt.job.id, attempt.attempt_id)
    assert shop.objects.list_keys(prefix) == []


def test_where_pictures_are_checked_nothing_is_shown_before(shop, store, submit, claim):
    job_id = submit(preview_every=1, trajectory=True)
    work(dataclasses.replace(shop, previews=None), claim())
    job = store.get(job_id)
    assert job.status is JobStatus.SUCCEEDED
    assert [warning.code for warning in job.warnings] == ["previews_off"]
    assert job.images[0].trajectory is None
    assert store.preview(job_id) is None
