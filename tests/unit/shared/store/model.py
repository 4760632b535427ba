"""The store's promises as plain Python: what every operation must answer, and what must be left.

Written from the rules, not from the scripts; it knows no Redis and no clock.
"""

from collections import defaultdict
from dataclasses import dataclass, field

TERMINAL = ("succeeded", "failed", "canceled", "expired")
RANKS = ("high", "normal", "low")
MAX_FAILURES = 3
MAX_CRASHES = 3
MAX_LOSSES = 10


@dataclass
class ModelJob:
    """One job as the rules see it; `number` is its place in the order of submission."""

    id: str
    number: int
    tenant: str
    priority: str
    cost: float
    num_images: int
    has_deadline: bool
    status: str = "queued"
    attempts: int = 0
    failures: int = 0
    crashes: int = 0
    losses: int = 0
    attempt: str = ""
    worker: str = ""
    ended_by: tuple[str, str] | None = None
    images: dict[int, str] = field(default_factory=dict)
    deleted: bool = False
    overdue: bool = False
    statuses_told: list[str] = field(default_factory=lambda: ["queued"])


class Model:
    """All jobs, and each lane's virtual times."""

    def __init__(self) -> None:
        self.jobs: dict[str, ModelJob] = {}
        self.active: dict[str, dict[str, float]] = defaultdict(dict)
        self.idle: dict[str, dict[str, float]] = defaultdict(dict)
        self.sweeps: set[tuple[str, str]] = set()

    def in_status(self, *statuses: str) -> list[ModelJob]:
        return [job for job in self.jobs.values() if job.status in statuses]

    def submit(self, job: ModelJob) -> None:
        self.jobs[job.id] = job
        self._wait(job)

    def claim(self, attempt: str, worker: str, floor: int) -> str | None:
        for held in self.in_status("running"):
            if held.attempt == attempt:
                return held.id
        while (job := self._next(floor)) is not None:
            if job.overdue:
                self._end(job, "expired")
                continue
            self.active[job.priority][job.tenant] += job.cost
            self._move(job, "running")
            self._stop_waiting(job)
            job.attempt, job.worker = attempt, worker
            job.attempts += 1
            return job.id
        return None

    def _next(self, floor: int) -> ModelJob | None:
        for priority in RANKS[:floor]:
            if self.active[priority]:
                tenant = min(self.active[priority].items(), key=lambda item: (item[1], item[0]))[0]
                mine = [
                    job
                    for job in self.in_status("queued")
                    if (job.priority, job.tenant) == (priority, tenant)
                ]
                return min(mine, key=lambda job: job.number)
        return None

    def add_image(self, job_id: str, attempt: str, index: int) -> str:
        job = self.jobs.get(job_id)
        if job and job.images.get(index) == attempt:
            return "ok"
        if not job or not self._owns(job, attempt):
            return "lost"
        job.images[index] = attempt
        return "ok"

    def end_attempt(self, job_id: str, attempt: str, how: str, *, retryable: bool = True) -> str:
        job = self.jobs.get(job_id)
        if job and job.ended_by == (how, attempt):
            return "ok"
        if not job or not self._owns(job, attempt):
            return "lost"
        if how == "commit" and job.overdue:
            self._end(job, "expired")
            return "lost"
        job.ended_by = (how, attempt)
        job.failures += how == "fail"
        if how == "commit":
            self._end(job, "succeeded")
        elif how == "release" or (retryable and job.failures < MAX_FAILURES):
            self._requeue(job)
        else:
            self._end(job, "failed")
        return "ok"

    def cancel(self, job_id: str) -> str | None:
        job = self.jobs.get(job_id)
        if job is None:
            return None
        if job.status not in TERMINAL:
            self._end(job, "canceled")
        return None if job.deleted else job.status

    def delete(self, job_id: str) -> bool:
        job = self.jobs.get(job_id)
        if job is None or job.deleted:
            return False
        self.cancel(job_id)
        job.deleted = True
        return True

    def expire_due(self) -> set[str]:
        due = [job for job in self.in_status("queued", "running") if job.overdue]
        for job in due:
            self._end(job, "expired")
        return {job.id for job in due}

    def reap_worker(self, worker: str, blamed: set[str] | None) -> tuple[set[str], set[str]]:
        taken = [job for job in self.in_status("running") if job.worker == worker]
        guilty = [job for job in taken if blamed is None or job.id in blamed]
        for job in guilty:
            job.crashes += 1
        failed = {job.id for job in guilty if job.crashes >= MAX_CRASHES}
        return self._take_back(taken, failed)

    def reap_leases(self, job_ids: set[str]) -> tuple[set[str], set[str]]:
        taken = [job for job in self.in_status("running") if job.id in job_ids]
        for job in taken:
            job.losses += 1
        return self._take_back(taken, {job.id for job in taken if job.losses >= MAX_LOSSES})

    def _take_back(self, taken: list[ModelJob], failed: set[str]) -> tuple[set[str], set[str]]:
        for job in taken:
            if job.id in failed:
                self._end(job, "failed")
            else:
                self._requeue(job)
        return {job.id for job in taken} - failed, failed

    def beat(self, attempts: dict[str, str]) -> tuple[set[str], set[str]]:
        lost, cancelled = set(), set()
        for job_id, attempt in attempts.items():
            job = self.jobs.get(job_id)
            if (
                job is None
                or job.attempt != attempt
                or job.status not in ("running", "canceled", "expired")
            ):
                lost.add(attempt)
            elif job.status != "running":
                cancelled.add(attempt)
        return lost, cancelled

    def _owns(self, job: ModelJob, attempt: str) -> bool:
        return job.status == "running" and job.attempt == attempt

    def _requeue(self, job: ModelJob) -> None:
        self.sweeps.add((job.id, job.attempt))
        self._move(job, "queued")
        self._wait(job)

    def _end(self, job: ModelJob, status: str) -> None:
        before = job.status
        self._move(job, status)
        if before == "queued":
            self._stop_waiting(job)
        elif status != "succeeded":
            self.sweeps.add((job.id, job.attempt))

    def _move(self, job: ModelJob, status: str) -> None:
        job.status = status
        job.statuses_told.append(status)

    def _wait(self, job: ModelJob) -> None:
        active, idle = self.active[job.priority], self.idle[job.priority]
        if job.tenant not in active:
            active[job.tenant] = max(idle.pop(job.tenant, 0.0), min(active.values(), default=0.0))

    def _stop_waiting(self, job: ModelJob) -> None:
        active, idle = self.active[job.priority], self.idle[job.priority]
        lane = [
            other
            for other in self.in_status("queued")
            if (other.priority, other.tenant) == (job.priority, job.tenant)
        ]
        if not lane:
            idle[job.tenant] = active.pop(job.tenant)
        if not active:
            idle.clear()
