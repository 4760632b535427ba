"""When jobs will be done: places and times from what waits and from what workers tell."""

import math
from collections.abc import Sequence

from api.surroundings import Surroundings
from api.wire import QueueAnswer
from shared.cost import Helper, Newcomer, drain_seconds, finish_seconds
from shared.job import Job, JobStatus
from shared.request import GenerationRequest
from shared.store.job_store import JobStore
from shared.store.values import Ahead

# Who was refused comes back when so much of what waits is done, and not too soon or too late.
RETRY_SHARE = 0.1
LEAST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 300.0


class Outlook:
    """Estimates; without a worker that has measured itself there is none."""

    def __init__(self, store: JobStore, surroundings: Surroundings) -> None:
        self._store = store
        self._surroundings = surroundings

    def queue(self, jobs: Sequence[Job]) -> dict[str, QueueAnswer]:
        """Place and time of those jobs that wait, by id. Raises StoreUnavailable."""
        waiting = {job.id: job for job in jobs if job.status is JobStatus.QUEUED}
        return {
            job_id: self.place(waiting[job_id].request, waiting[job_id].tenant, ahead)
            for job_id, ahead in self._store.ahead_of(list(waiting)).items()
        }

    def prospect(self, request: GenerationRequest, tenant: str) -> QueueAnswer:
        """What a job would get that is submitted now. Raises StoreUnavailable."""
        ahead = self._store.prospect(request.model, request.priority, tenant)
        return self.place(request, tenant, ahead)

    def place(self, request: GenerationRequest, tenant: str, ahead: Sequence[Ahead]) -> QueueAnswer:
        """Place and time of a waiting job with `ahead` before it."""
        workers = [one for one in self._surroundings.workers if one.pace.of(request.model)]
        # Jobs of other models count where they take the same workers' time.
        shared = {request.model, *(model for worker in workers for model in worker.models)}
        jobs = sum(row.jobs for row in ahead if row.model in shared)
        cost = sum(row.cost for row in ahead if row.model in shared)
        helpers = [Helper(worker.pace, request.model in worker.models) for worker in workers]
        seconds = finish_seconds(Newcomer(request, tenant, jobs, cost), helpers)
        return QueueAnswer(
            position=math.floor(jobs),
            eta_seconds=None if seconds is None else round(seconds, 2),
        )

    def retry_seconds(self, waiting_cost: float) -> float | None:
        """When to submit again, if so much waits under the limit that was met."""
        paces = [worker.pace for worker in self._surroundings.workers]
        seconds = drain_seconds(waiting_cost * RETRY_SHARE, paces)
        if seconds is None:
            return None
        return min(max(seconds, LEAST_RETRY_SECONDS), LONGEST_RETRY_SECONDS)
