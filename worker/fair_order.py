"""Fairness between tenants inside one worker: start-time fair queueing of the jobs it holds."""

import threading

PLACES_PER_COST = 1000


def next_place(place: int, cost: float) -> int:
    """Where the next job of the same tenant stands."""
    return place + max(round(cost * PLACES_PER_COST), 1)


class FairOrder:
    """Gives each job its place: the smaller, the earlier its samples step.

    A tenant's next job starts where its last one ended in virtual time, or now, whichever is
    later; now is the earliest start among the jobs that the worker holds. So a tenant that has
    filled the worker's slots does not hold up another that comes later. (Goyal, Vin and Cheng,
    "Start-time Fair Queueing", SIGCOMM 1996.)
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: dict[str, int] = {}  # by attempt
        self._next: dict[str, int] = {}  # by tenant

    def enter(self, attempt_id: str, tenant: str, cost: float) -> int:
        """The place of an attempt that the worker takes on."""
        with self._lock:
            now = min(self._places.values(), default=0)
            self._next = {name: place for name, place in self._next.items() if place > now}
            place = self._next.get(tenant, now)
            self._places[attempt_id] = place
            self._next[tenant] = next_place(place, cost)
            return place

    def leave(self, attempt_id: str) -> None:
        """The attempt has ended."""
        with self._lock:
            del self._places[attempt_id]
            if not self._places:
                self._next.clear()
