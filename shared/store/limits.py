"""How fast work may be submitted: a rate and a burst of cost, kept in Redis by GCRA.

A limit owes time: each submission adds its cost divided by the rate, and time pays it off. What is
owed may not exceed the burst; but who owes nothing may submit any one job.
"""

from dataclasses import dataclass

from shared.errors import LimitState
from shared.settings import JobSettings


@dataclass(frozen=True)
class CostLimit:
    """So much cost a second (as in GenerationRequest.cost), `burst` of it at once.

    `name` says whose it is: submissions under one name share it.
    """

    name: str
    per_second: float
    burst: float

    def state(self, owed_us: float) -> LimitState:
        """What is left while so many microseconds are owed."""
        owed = max(owed_us / 1e6, 0.0)
        return LimitState(
            burst=self.burst,
            window_seconds=self.burst / self.per_second,
            remaining=max(self.burst - owed * self.per_second, 0.0),
            reset_seconds=owed,
        )


def key_limit(owner: str, per_second: float, burst: float) -> CostLimit:
    """The limit of a key, and of those that replace it."""
    return CostLimit(f"key:{owner}", per_second, burst)


def tenant_limit(settings: JobSettings, tenant: str) -> CostLimit | None:
    """The limit of all keys of a tenant that have none of their own; None: none is configured."""
    per_second = settings.cost_per_second_per_tenant
    if per_second is None:
        return None
    return CostLimit(f"tenant:{tenant}", per_second, settings.cost_burst_per_tenant)
