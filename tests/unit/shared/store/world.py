"""A store to try things on: jobs brought into any state, and a dump of all that Redis holds."""

from collections.abc import Callable
from typing import Any

from shared.connections import RedisPair
from shared.ids import attempt_prefix, new_attempt_id, new_job_id
from shared.job import JobError, JobWarning, Progress, StoredImage, StoredTrajectory, Timing
from shared.request import GenerationRequest, Output, Priority
from shared.settings import JobSettings
from shared.store.events import EventLog
from shared.store.job_store import Claim, Created, Idempotency, JobStore, NewJob, Outcome
from shared.store.values import WebhookRoute

MODEL = "emoji"
WORKER = "worker-1"
TIMING = Timing(queue_ms=5, total_ms=70)
PASSING = JobError(code="internal_error", detail="try again", retryable=True)
LASTING = JobError(code="resource_exhausted", detail="too large", retryable=False)
STATES = ("queued", "running", "succeeded", "failed", "canceled", "expired", "deleted", "forgotten")


def make_request(**changes: Any) -> GenerationRequest:
    """A legal request; its cost is 1."""
    fields: dict[str, Any] = {
        "model": MODEL,
        "prompt": "a red apple",
        "negative_prompt": "",
        "width": 1000,
        "height": 1000,
        "num_images": 1,
        "steps": 1,
        "guidance_scale": 1.0,
        "sampler": "euler",
        "schedule": "default",
        "eta": 0.0,
        "seed": 7,
        "output": Output(),
        "priority": Priority.NORMAL,
        "deadline_seconds": None,
        "reproducible": False,
        "metadata": {},
    }
    return GenerationRequest(**(fields | changes))


def make_image(claim: Claim, index: int = 0, *, trajectory: bool = False) -> StoredImage:
    """A picture as the attempt would have stored it."""
    prefix = attempt_prefix(claim.job.tenant, claim.job.id, claim.attempt_id)
    return StoredImage(
        index=index,
        key=f"{prefix}{index}.png",
        seed=7 + index,
        width=1000,
        height=1000,
        format="png",
        bytes=10,
        sha256="ab" * 32,
        trajectory=make_trajectory(f"{prefix}{index}.trajectory.webp") if trajectory else None,
    )


def make_trajectory(key: str) -> StoredTrajectory:
    """An animated picture beside the finished one."""
    return StoredTrajectory(
        key=key, width=512, height=512, format="webp", bytes=20, sha256="cd" * 32
    )


class World:
    """One store on an empty Valkey."""

    def __init__(self, redis: RedisPair, **settings: Any) -> None:
        self.redis = redis
        self.raw: Any = redis.durable
        self.store = JobStore(redis, JobSettings(**settings))
        self.events = EventLog(redis)

    def create(
        self,
        tenant: str = "ada",
        *,
        key: tuple[str, str] | None = None,
        job_id: str | None = None,
        warnings: tuple[JobWarning, ...] = (),
        webhook: WebhookRoute | None = None,
        **changes: Any,
    ) -> Created:
        """Accept a job; `key` is an idempotency key and the fingerprint of its body."""
        new = NewJob(job_id or new_job_id(), tenant, make_request(**changes), warnings, webhook)
        return self.store.create(new, Idempotency(*key) if key else None)

    def submit(self, tenant: str = "ada", **changes: Any) -> str:
        """Accept a job; its id."""
        return self.create(tenant, **changes).job_id

    def claim(self, worker: str = WORKER, **options: Any) -> Claim:
        """Claim the job whose turn it is; there is one."""
        claim = self.store.claim([MODEL], new_attempt_id(), worker, **options)
        assert claim is not None
        return claim

    def start(self, tenant: str = "ada", worker: str = WORKER, **changes: Any) -> Claim:
        """A running job: the only one that waits."""
        self.submit(tenant, **changes)
        return self.claim(worker)

    def finish(self, claim: Claim) -> None:
        """All its pictures, then success."""
        for index in range(claim.job.request.num_images):
            assert self.add_image(claim, index) is Outcome.OK
        assert self.commit(claim) is Outcome.OK

    def add_image(self, claim: Claim, index: int = 0, *, trajectory: bool = False) -> Outcome:
        image = make_image(claim, index, trajectory=trajectory)
        return self.store.add_image(claim.job.id, claim.attempt_id, image)

    def commit(self, claim: Claim) -> Outcome:
        return self.store.commit(claim.job.id, claim.attempt_id, timing=TIMING, warnings=[])

    def fail(self, claim: Claim, error: JobError = PASSING) -> Outcome:
        return self.store.fail(claim.job.id, claim.attempt_id, error, timing=TIMING)

    def release(self, claim: Claim) -> Outcome:
        return self.store.release(claim.job.id, claim.attempt_id)

    def pass_deadline(self, job_id: str) -> None:
        """Let a job's deadline lie in the past, if it still has one."""
        self.raw.zadd("tessera:deadlines", {job_id: 1}, xx=True)

    def end_lease(self, job_id: str) -> None:
        """Let a running job's lease have run out, while somebody was watching."""
        seconds, microseconds = self.raw.time()
        self.raw.set("tessera:queue:reaped_at", seconds * 1_000_000 + microseconds)
        self.raw.zadd("tessera:leases", {job_id: 1}, xx=True)

    def bring(self, state: str) -> Claim:
        """A job in that state, and the attempt that owns it or owned it last.

        A queued one has been released, so that it has had an attempt, too.
        """
        claim = self.start(deadline_seconds=600.0)
        endings: dict[str, Callable[[], object]] = {
            "queued": lambda: self.release(claim),
            "running": lambda: self.store.report_progress({claim.job.id: Progress(step=1)}),
            "succeeded": lambda: self.finish(claim),
            "failed": lambda: self.fail(claim, LASTING),
            "canceled": lambda: self.store.cancel(claim.job.id),
            "expired": lambda: self.expire(claim.job.id),
            "deleted": lambda: self.store.delete(claim.job.id),
            "forgotten": lambda: self.forget(claim.job.id),
        }
        endings[state]()
        return claim

    def expire(self, job_id: str) -> None:
        self.pass_deadline(job_id)
        assert self.store.expire_due() == [job_id]

    def forget(self, job_id: str) -> None:
        self.store.delete(job_id)
        self.store.forget(job_id)

    def status(self, job_id: str) -> str:
        """The job's status, or `none`."""
        job = self.store.get(job_id)
        return str(job.status) if job else "none"

    def dump(self) -> dict[str, Any]:
        """Everything that Redis holds, by key."""
        readers: dict[str, Callable[[str], Any]] = {
            "string": self.raw.get,
            "hash": self.raw.hgetall,
            "set": self.raw.smembers,
            "zset": lambda key: self.raw.zrange(key, 0, -1, withscores=True),
            "stream": self.raw.xrange,
        }
        return {key: readers[self.raw.type(key)](key) for key in self.raw.scan_iter()}
