"""The JobStore: every transition of a job, each one script on Redis' own clock."""

from collections.abc import Mapping, Sequence

import redis

from shared.connections import RedisPair, store_errors
from shared.errors import TesseraError
from shared.job import Job, JobError, JobWarning, StoredImage, Timing
from shared.request import PRIORITIES, Priority
from shared.settings import JobSettings
from shared.store import creation, progress, records
from shared.store.checkpoints import CheckpointRecords
from shared.store.housekeeping import Housekeeping
from shared.store.inputs import InputRecords
from shared.store.previews import PreviewRecords
from shared.store.reading import Reading
from shared.store.scripts import WORKER_TERMS, Scripts
from shared.store.values import Beat, Claim, Created, Idempotency, NewJob, Outcome
from shared.store.workers import WorkerRegistry

__all__ = ["Beat", "Claim", "Created", "Idempotency", "JobStore", "NewJob", "Outcome"]


class JobStore(
    Reading, Housekeeping, InputRecords, WorkerRegistry, CheckpointRecords, PreviewRecords
):
    """The only truth about jobs; safe to share between threads and processes.

    Every method may raise StoreUnavailable. Every transition may be sent twice: the second time
    changes nothing and answers the same. Writes by an attempt are fenced by its id.
    """

    def __init__(self, pair: RedisPair, settings: JobSettings) -> None:
        self._redis = pair
        self._scripts = Scripts(pair.durable, settings)
        self._worker_seconds = settings.lease_seconds * WORKER_TERMS

    def create(self, new: NewJob, idempotency: Idempotency | None = None) -> Created:
        """Accept a job, or answer the one that this idempotency key made before.

        Raises:
            IdempotencyMismatch: the key came before with another body.
            QuotaExceeded: the tenant has as much queued as it may.
            QueueFull: the system has as much queued as it takes.
        """
        [outcome] = self.create_many([(new, idempotency)])
        if isinstance(outcome, TesseraError):
            raise outcome
        return outcome

    def create_many(
        self, batch: Sequence[tuple[NewJob, Idempotency | None]]
    ) -> list[Created | TesseraError]:
        """Accept several jobs in one round trip; what `create` would raise stands in its place."""
        answers = self._scripts.many("create", [creation.arguments(*job) for job in batch])
        return [
            creation.outcome(new, answer) for (new, _), answer in zip(batch, answers, strict=True)
        ]

    def claim(
        self,
        models: Sequence[str],
        attempt_id: str,
        worker_id: str,
        priority_floor: Priority | None = None,
    ) -> Claim | None:
        """Lend the job whose turn it is to this attempt; None where nothing waits.

        A floor of HIGH claims only high jobs, one of NORMAL no low ones.
        """
        claims = self.claim_many(models, [attempt_id], worker_id, priority_floor)
        return claims[0] if claims else None

    def claim_many(
        self,
        models: Sequence[str],
        attempt_ids: Sequence[str],
        worker_id: str,
        priority_floor: Priority | None = None,
    ) -> list[Claim]:
        """Lend jobs in their turn to these attempts, in one round trip; as many as wait.

        Raises StoreUnavailable where one of them was not answered; the others may hold their jobs
        then, and are answered the same when all are sent again.
        """
        floor = PRIORITIES.index(priority_floor or Priority.LOW) + 1
        calls: list[list[str | int | float]] = [
            [attempt_id, worker_id, floor, *models] for attempt_id in attempt_ids
        ]
        claims = []
        for attempt_id, answer in zip(attempt_ids, self._scripts.many("claim", calls), strict=True):
            if isinstance(answer, redis.ResponseError):
                with store_errors():
                    raise answer
            if answer is not None:
                job_id, flat = answer
                fields = records.pairs(flat)
                job = records.job_from(job_id, fields)
                claims.append(Claim(job, attempt_id, records.suspect(fields)))
        return claims

    def beat(self, worker_id: str, attempts: Mapping[str, str]) -> Beat:
        """Renew a worker's record and all its leases, `attempts` being job id -> attempt id."""
        flat = [text for pair in attempts.items() for text in pair]
        announced, lost, cancelled = self._scripts("beat", worker_id, *flat)
        return Beat(frozenset(lost), frozenset(cancelled), bool(announced))

    def add_image(
        self,
        job_id: str,
        attempt_id: str,
        image: StoredImage,
        warnings: Sequence[JobWarning] = (),
    ) -> Outcome:
        """Tell a picture that lies in S3 under `image.key`, and the warnings that concern it alone.

        After OK the object belongs to the job, even if the attempt is lost later: only after LOST
        does the caller delete it.
        """
        text = image.model_dump_json()
        lines = (warning.model_dump_json() for warning in warnings)
        return Outcome(self._scripts("add_image", job_id, attempt_id, image.index, text, *lines))

    def commit(
        self, job_id: str, attempt_id: str, *, timing: Timing, warnings: Sequence[JobWarning] = ()
    ) -> Outcome:
        """The job has succeeded; every picture has been told, by this attempt or earlier ones.

        `warnings` are those that concern the whole job.
        """
        lines = (warning.model_dump_json() for warning in warnings)
        text = timing.model_dump_json()
        return Outcome(self._scripts("commit", job_id, attempt_id, text, *lines))

    def fail(self, job_id: str, attempt_id: str, error: JobError, *, timing: Timing) -> Outcome:
        """The attempt has failed: queued again if a retry may help and is left, else failed."""
        retryable = int(error.retryable)
        texts = (error.model_dump_json(), retryable, timing.model_dump_json())
        told = progress.newest(self._redis, [job_id]).get(job_id, "")
        return Outcome(self._scripts("fail", job_id, attempt_id, *texts, told))

    def release(self, job_id: str, attempt_id: str) -> Outcome:
        """Queue the job again without blame: the worker drains."""
        return Outcome(self._scripts("release", job_id, attempt_id))

    def cancel(self, job_id: str) -> Job | None:
        """End the job now and tell its worker; an ended one is returned unchanged."""
        told = progress.newest(self._redis, [job_id]).get(job_id, "")
        flat = self._scripts("cancel", job_id, told)
        if flat is None:
            return None
        fields = records.pairs(flat)
        return records.job_from(job_id, fields) if records.visible(fields) else None
