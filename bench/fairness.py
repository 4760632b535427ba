"""One tenant submits 500 jobs, another, who has been busy before, 5: when are the 5 done?

Rounds differ in the moment at which the 5 come: the flood's batch is elsewhere then.
"""

from typing import Any

from bench.eta import law
from bench.figures import summary
from bench.requests import request
from bench.simulation import MODEL, Device, Simulation, Submitted, empty_store
from shared.store.job_store import JobStore

FLOOD, GUEST = 500, 5
HISTORY = 40
TARGET = 12
DELAYS = (0.0, 0.3, 0.6, 0.9, 1.2)  # virtual seconds; a batch of the flood takes 1.5


def run_on(store: JobStore, flood: int = FLOOD, history: int = HISTORY, delay: float = 0.0) -> int:
    """How many jobs of the flood end between the guest's submission and its last picture."""
    simulation = Simulation(store, Device(law))
    asked = request(model=MODEL)
    earlier = [Submitted("guest", asked, 0.0) for _ in range(history)]
    flooding = [Submitted("flood", asked, 0.01) for _ in range(flood)]
    # Once the guest's history is done and the flood holds every slot.
    arrival = 0.2 + history * 2.0 + delay
    late = [Submitted("guest", asked, arrival) for _ in range(GUEST)]
    simulation.run([*earlier, *flooding, *late])
    ends = [job.done for job in late if job.done is not None]
    assert len(ends) == GUEST
    return sum(arrival <= job.done <= max(ends) for job in flooding if job.done is not None)


def run() -> dict[str, Any]:
    """Through the real store, fair order and batcher, in virtual time."""
    meanwhile = []
    for delay in DELAYS:
        with empty_store() as store:
            meanwhile.append(run_on(store, delay=delay))
    return {"flood_jobs_meanwhile": summary(meanwhile), "target": TARGET}


if __name__ == "__main__":
    print(run())
