"""Wrong keys: so many at once from an address, then one every few seconds; memory is bounded."""

import pytest

from api import failed_keys
from api.failed_keys import FAILURES_AT_ONCE, SECONDS_PER_FAILURE, FailedKeys
from shared.errors import RateLimited


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def fail(failed: FailedKeys, address: str, times: int = FAILURES_AT_ONCE) -> None:
    for _ in range(times):
        failed.admit(address)
        failed.record(address)


def test_an_address_waits_as_long_as_it_is_told():
    clock = Clock()
    failed = FailedKeys(clock)
    fail(failed, "192.0.2.1")
    with pytest.raises(RateLimited) as refused:
        failed.admit("192.0.2.1")
    failed.admit("192.0.2.2")
    assert refused.value.retry_after == pytest.approx(SECONDS_PER_FAILURE)
    clock.now += SECONDS_PER_FAILURE
    fail(failed, "192.0.2.1", 1)
    with pytest.raises(RateLimited):
        failed.admit("192.0.2.1")
    clock.now += SECONDS_PER_FAILURE * FAILURES_AT_ONCE
    fail(failed, "192.0.2.1")


def test_a_network_that_one_host_may_own_is_one_source():
    failed = FailedKeys(Clock())
    for host in range(FAILURES_AT_ONCE):
        fail(failed, f"2001:db8::{host:x}", 1)
    with pytest.raises(RateLimited):
        failed.admit("2001:db8::ffff")
    failed.admit("2001:db8:0:1::1")


def test_ipv4_clients_of_an_ipv6_socket_are_told_apart():
    failed = FailedKeys(Clock())
    fail(failed, "::ffff:192.0.2.1")
    with pytest.raises(RateLimited):
        failed.admit("192.0.2.1")
    failed.admit("::ffff:192.0.2.2")


def test_memory_is_bounded_and_who_failed_last_stays():
    failed = FailedKeys(Clock())
    fail(failed, "192.0.2.1")
    for number in range(failed_keys.ADDRESSES - 1):
        failed.record(f"host-{number}")
    with pytest.raises(RateLimited):
        failed.admit("192.0.2.1")
    failed.record("one more")
    assert len(failed._forgotten_at) == failed_keys.ADDRESSES
    failed.admit("192.0.2.1")
