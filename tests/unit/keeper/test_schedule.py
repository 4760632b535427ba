"""When a webhook is tried again."""

import random
from datetime import UTC, datetime

import pytest

from keeper.schedule import pause_before, wished_pause
from keeper.settings import WebhookSettings

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_pauses_follow_the_schedule_with_jitter():
    schedule = WebhookSettings().webhook_schedule
    chance = random.Random(1)
    for number, pause in enumerate(schedule):
        tries = [pause_before(number + 2, schedule, 0.0, chance) for _ in range(50)]
        assert all(0.8 * pause <= one <= 1.2 * pause for one in tries)
        assert len(set(tries)) > 40
    assert pause_before(len(schedule) + 2, schedule, 0.0, chance) is None
    assert sum(schedule) > 75 * 3600


def test_never_sooner_than_the_receiver_wishes():
    assert pause_before(2, (1.0,), 60.0, random.Random(1)) == 60.0
    assert pause_before(3, (1.0,), 60.0, random.Random(1)) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("120", 120),
        ("999999999999", 86_400),
        ("-5", 0),
        ("soon", 0),
        ("Sun, 22 Nov 2026 12:01:00 GMT", 60),
        ("Sun, 22 Nov 2026 12:01:00 -0000", 60),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0),
        ("Sun, 22 Nov 2099 12:00:00 GMT", 86_400),
        ("²", 0),
    ],
)
def test_retry_after(header, seconds):
    assert wished_pause(header, NOW) == seconds


def test_the_schedule_is_a_setting(monkeypatch):
    monkeypatch.setenv("TESSERA_WEBHOOK_SCHEDULE", "0.1 0.2 3")
    assert WebhookSettings().webhook_schedule == (0.1, 0.2, 3.0)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_!!", "MfKQ9r8G"])
def test_a_wrong_secret_is_refused(monkeypatch, secret):
    monkeypatch.setenv("TESSERA_WEBHOOK_SECRET", secret)
    with pytest.raises(ValueError, match="whsec_"):
        WebhookSettings()
