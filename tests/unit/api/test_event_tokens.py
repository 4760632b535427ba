"""Tokens for one job's events: only that job's, only for a while, of any gateway."""

from api.event_tokens import EventTokens
from shared.connections import RedisPair

JOB, OTHER = "job_" + "1" * 32, "job_" + "2" * 32


def test_a_token_opens_its_own_job(redis_pair: RedisPair):
    tokens = EventTokens(redis_pair.durable, "configured")
    token = tokens.issue(JOB)
    assert tokens.accepts(JOB, token)
    assert not tokens.accepts(OTHER, token)


def test_gateways_of_one_store_accept_each_others_tokens(redis_pair: RedisPair):
    first, second = (EventTokens(redis_pair.durable, None) for _ in range(2))
    assert second.accepts(JOB, first.issue(JOB))
    assert not EventTokens(redis_pair.durable, "another").accepts(JOB, first.issue(JOB))


def test_nonsense_is_refused(redis_pair: RedisPair):
    tokens = EventTokens(redis_pair.durable, "configured")
    good = tokens.issue(JOB)
    other_end = "BA" if good.endswith("AA") else "AA"
    changed = (good[:-1], good[:-2] + other_end, good + "AAAA")
    for token in ("", "x", "é", "=" * 10, "A" * 27, *changed):
        assert not tokens.accepts(JOB, token)


def test_a_token_ends(redis_pair: RedisPair):
    tokens = EventTokens(redis_pair.durable, "configured", life_seconds=-1)
    assert not tokens.accepts(JOB, tokens.issue(JOB))
