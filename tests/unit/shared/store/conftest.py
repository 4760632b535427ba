"""Stores on the session's Valkey, which need not wait for its disk."""

from collections.abc import Callable, Iterator

import pytest

from shared.connections import RedisPair
from tests.unit.shared.store.world import World


@pytest.fixture(autouse=True)
def _no_fsync(redis_pair: RedisPair) -> Iterator[None]:
    # These tests are of what the scripts do, not of what survives a power cut.
    redis_pair.durable.config_set("appendfsync", "no")
    yield
    redis_pair.durable.config_set("appendfsync", "always")


@pytest.fixture
def make_world(redis_pair: RedisPair) -> Callable[..., World]:
    """A store with other settings."""
    return lambda **settings: World(redis_pair, **settings)


@pytest.fixture
def world(redis_pair: RedisPair) -> World:
    """A store with the usual settings."""
    return World(redis_pair)
