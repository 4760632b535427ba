"""When a webhook is tried again: the schedule, its jitter, and what the receiver asks for."""

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

JITTER = 0.2  # of the pause, to both sides
LONGEST_WISH_SECONDS = 86_400.0


def pause_before(
    next_round: int, schedule: tuple[float, ...], wish: float, chance: random.Random
) -> float | None:
    """Seconds until try `next_round` (the second try is 2); None where the schedule has ended.

    Never sooner than the receiver wishes.
    """
    if next_round - 2 >= len(schedule):
        return None
    pause = schedule[next_round - 2] * chance.uniform(1 - JITTER, 1 + JITTER)
    return max(pause, wish)


def wished_pause(retry_after: str | None, now: datetime) -> float:
    """The seconds that a `Retry-After` asks for, as a number or a date; at most a day."""
    if retry_after is None:
        return 0.0
    if retry_after.isascii() and retry_after.isdecimal():
        return min(float(retry_after), LONGEST_WISH_SECONDS)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0  # not a date: no wish
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), LONGEST_WISH_SECONDS)
