"""A crowd that was refused and obeys `Retry-After` gets in without coming again as one."""

import heapq
import random
from collections import Counter

from api.outlook import LEAST_RETRY_SECONDS, RETRY_SHARE
from api.problems import problem_response
from shared.errors import QueueFull

CROWD = 100
BOUND = 20
JOBS_PER_SECOND = 2.0


def told(queued: float) -> int:
    """What a client that is refused now reads."""
    seconds = max(queued * RETRY_SHARE / JOBS_PER_SECOND, LEAST_RETRY_SECONDS)
    return int(problem_response(QueueFull("full", retry_after=seconds)).headers["Retry-After"])


def test_a_crowd_drains_without_a_second_wave():
    random.seed(7)
    calls = [(0.0, client) for client in range(CROWD)]
    arrivals: Counter[int] = Counter()
    tries: Counter[int] = Counter()
    queued, seen, deepest, last_in = 0.0, 0.0, 0.0, 0.0
    while calls:
        now, client = heapq.heappop(calls)
        queued, seen = max(queued - (now - seen) * JOBS_PER_SECOND, 0.0), now
        arrivals[int(now)] += 1
        tries[client] += 1
        if queued + 1 <= BOUND:
            queued += 1
            deepest, last_in = max(deepest, queued), now
        else:
            # Clients differ in when they read the answer and when their timers fire.
            heapq.heappush(calls, (now + told(queued) + random.uniform(0, 0.2), client))
    assert deepest <= BOUND
    assert max(arrivals[second] for second in arrivals if second > 0) < CROWD * 0.4
    # The last gets in soon after there is room for it, and nobody hammers.
    assert last_in < (CROWD - BOUND) / JOBS_PER_SECOND + 15
    assert max(tries.values()) < 30
