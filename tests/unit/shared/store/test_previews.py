"""The newest preview: kept as it is, told, and gone after a while."""

import json

import pytest

from shared.errors import StoreUnavailable
from shared.store import keys
from shared.store.events import CHANNEL_PATTERN
from shared.store.previews import PREVIEW_SECONDS, PREVIEW_TYPE
from tests.unit.shared.store.world import World

NOT_TEXT = bytes(range(256))


def test_the_newest_replaces_the_last_byte_for_byte(world: World) -> None:
    assert world.store.preview("job_1") is None
    world.store.keep_preview("job_1", b"first", index=0, step=1, steps=9)
    world.store.keep_preview("job_1", NOT_TEXT, index=1, step=5, steps=9)
    assert world.store.preview("job_1") == NOT_TEXT
    assert 0 < world.raw.ttl(keys.preview("job_1")) <= PREVIEW_SECONDS


def test_it_is_told_to_whoever_listens(world: World) -> None:
    with world.raw.pubsub() as listener:
        listener.psubscribe(CHANNEL_PATTERN)
        listener.get_message(timeout=5)
        world.store.keep_preview("job_1", NOT_TEXT, index=1, step=5, steps=9)
        message = listener.get_message(timeout=5)
    assert message["channel"] == keys.events("job_1")
    assert json.loads(message["data"]) == {
        "id": None,
        "type": "preview",
        "data": {"index": 1, "step": 5, "steps": 9, "content_type": PREVIEW_TYPE, "bytes": 256},
    }


def test_a_full_server_refuses_it(world: World) -> None:
    world.raw.config_set("maxmemory", 1)
    try:
        with pytest.raises(StoreUnavailable):
            world.store.keep_preview("job_1", NOT_TEXT, index=0, step=1, steps=1)
    finally:
        world.raw.config_set("maxmemory", 0)
