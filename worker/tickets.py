"""Takes tickets from RQ's queues: a worker's share of those that wait, or the next that comes."""

import itertools
from collections.abc import Sequence
from typing import Any

import redis
from rq.queue import Queue as RQQueue
from rq.utils import as_text
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from shared.queue import open_queue
from shared.request import PRIORITIES, Priority
from worker.ledger import Ticket

AWAIT_SECONDS = 1

# KEYS: each lane's list and the set of its workers, the most wanted lane first; ARGV: at most so
# many tickets. Of the first lane that has any: its place, and this worker's share.
SHARE = """
for place = 1, #KEYS, 2 do
  local waiting = redis.call('LLEN', KEYS[place])
  if waiting > 0 then
    local workers = math.max(redis.call('SCARD', KEYS[place + 1]), 1)
    local share = math.min(tonumber(ARGV[1]), math.ceil(waiting / workers))
    return { (place - 1) / 2, redis.call('LPOP', KEYS[place], share) }
  end
end
return false
"""


class Tickets:
    """The lanes of a worker's models. Every method may raise redis.RedisError."""

    def __init__(self, connection: "redis.Redis", models: Sequence[str]) -> None:
        """`models` are all that may ever be asked for."""
        self._connection = connection
        self._take_share = connection.register_script(SHARE)
        self._lanes = {
            (model, priority): open_queue(connection, model, priority)
            for priority, model in itertools.product(PRIORITIES, models)
        }

    @property
    def queues(self) -> list[RQQueue]:
        """RQ's queues of all lanes."""
        return list(self._lanes.values())

    def take(self, models: Sequence[str], most: int) -> list[Ticket]:
        """Tickets of one lane, at most so many; none where none came within a second."""
        lanes = [self._lanes[model, lane] for lane, model in itertools.product(PRIORITIES, models)]
        waiting = self._share(lanes, most)
        if waiting:
            return waiting
        popped: Any = self._connection.blpop([queue.key for queue in lanes], AWAIT_SECONDS)
        if popped is None:
            return []
        key, ticket_id = map(as_text, popped)
        queue = next(queue for queue in lanes if queue.key == key)
        # What comes at once is claimed for at once.
        behind = self._share([queue], most - 1) if most > 1 else []
        return [Ticket(ticket_id, queue), *behind]

    def take_high(self, models: Sequence[str]) -> list[Ticket]:
        """One of the highest priority, if there is one just now."""
        return self._share([self._lanes[model, Priority.HIGH] for model in models], 1)

    def _share(self, lanes: Sequence[RQQueue], most: int) -> list[Ticket]:
        """From the first lane that has any; others that listen to it get their shares."""
        keys = [(queue.key, WORKERS_BY_QUEUE_KEY % queue.name) for queue in lanes]
        taken: Any = self._take_share(keys=list(itertools.chain(*keys)), args=[most])
        if taken is None:
            return []
        place, ids = taken
        return [Ticket(as_text(ticket_id), lanes[place]) for ticket_id in ids]
