"""Signatures: the standard's own example, and somebody else's verification."""

import time

import pytest
from standardwebhooks import Webhook

from shared.signature import is_secret, is_signed, new_secret, signed_headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_example_of_the_specification():
    headers = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', [SECRET], 1614265330.9
    )
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_either_secret_verifies_during_a_rotation():
    new, old = new_secret(), new_secret()
    body = '{"type":"job.succeeded","data":{"name":"Käse"}}'.encode()
    headers = signed_headers("msg_1", body, [new, old], time.time())
    for secret in (new, old):
        assert Webhook(secret).verify(body, headers)["type"] == "job.succeeded"
        assert is_signed(headers, body, secret, time.time())


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "msg_2"},
        {"webhook-timestamp": "1"},
        {"webhook-timestamp": "x"},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "é"},
        {"webhook-signature": ""},
    ],
)
def test_anything_else_is_not_signed(change):
    now = time.time()
    headers = signed_headers("msg_1", b"{}", [SECRET], now)
    assert is_signed(headers, b"{}", SECRET, now)
    assert not is_signed(headers | change, b"{}", SECRET, now)
    assert not is_signed(headers, b"{ }", SECRET, now)
    assert not is_signed(headers, b"{}", new_secret(), now)
    assert not is_signed(headers, b"{}", SECRET, now + 301)


def test_secrets():
    assert is_secret(new_secret())
    assert is_secret(SECRET)
    assert not is_secret(SECRET.removeprefix("whsec_"))
