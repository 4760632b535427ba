"""Reading the store: jobs, lists, what waits, and the progress that workers report."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.connections import RedisPair, store_errors
from shared.errors import IdempotencyMismatch
from shared.job import Job, JobStatus, Progress
from shared.request import Priority
from shared.store import keys, progress, records
from shared.store.events import progress_message
from shared.store.scripts import Scripts
from shared.store.values import Ahead, Idempotency, LaneState

MISMATCH = "this idempotency key came before with another body"
PROGRESS_SECONDS = 3600  # much longer than the pause between two reports


class Reading:
    """The part of JobStore that changes no job."""

    _redis: RedisPair
    _scripts: Scripts

    def ping(self) -> None:
        """Raise StoreUnavailable unless the durable server answers."""
        with store_errors():
            self._redis.durable.ping()

    def get(self, job_id: str) -> Job | None:
        """The job with its newest progress, or None where there is none any more."""
        with store_errors():
            fields: Any = self._redis.durable.hgetall(keys.job(job_id))
        return next(iter(self._jobs([(job_id, fields)])), None)

    def made_by(self, tenant: str, idempotency: Idempotency) -> str | None:
        """The id of the job that this key and body made before, if they did.

        Raises IdempotencyMismatch where the key came with another body.
        """
        with store_errors():
            used: Any = self._redis.durable.get(keys.idempotency(tenant, idempotency.key))
        if used is None:
            return None
        fingerprint, _, job_id = used.partition(":")
        if fingerprint != idempotency.fingerprint:
            raise IdempotencyMismatch(MISMATCH)
        return str(job_id)

    def list_jobs(
        self, tenant: str, *, status: JobStatus | None, limit: int, cursor: str | None
    ) -> tuple[list[Job], str | None]:
        """One page of the tenant's jobs, newest first, and the cursor of the next page."""
        index = keys.tenant_jobs(tenant, status)
        upper = f"({cursor}" if cursor else "+"
        with store_errors():
            ids: Any = self._redis.durable.zrevrangebylex(index, upper, "-", 0, limit + 1)
            pipeline = self._redis.durable.pipeline(transaction=False)
            for job_id in ids[:limit]:
                pipeline.hgetall(keys.job(job_id))
            page = list(zip(ids, pipeline.execute(), strict=False))
        return self._jobs(page), ids[limit - 1] if len(ids) > limit else None

    def _jobs(self, found: Sequence[tuple[str, Mapping[str, str]]]) -> list[Job]:
        shown = [(job_id, fields) for job_id, fields in found if records.visible(fields)]
        running = [job_id for job_id, fields in shown if fields["status"] == JobStatus.RUNNING]
        told = progress.newest(self._redis, running)
        return [records.job_from(job_id, fields, told.get(job_id)) for job_id, fields in shown]

    def lanes(self) -> dict[tuple[str, Priority], LaneState]:
        """What waits, by model and priority; empty lanes are left out."""
        rows = self._scripts("lanes")
        return {
            (model, Priority(priority)): LaneState(int(jobs), float(cost), float(oldest))
            for model, priority, jobs, cost, oldest in rows
        }

    def ahead_of(self, job_ids: Sequence[str]) -> dict[str, tuple[Ahead, ...]]:
        """About what goes before each of these jobs in fair order; those that wait alone."""
        answers = self._scripts.many("ahead", [[job_id] for job_id in job_ids])
        found = {}
        for job_id, rows in zip(job_ids, answers, strict=True):
            if rows is not None:
                found[job_id] = records.ahead(rows)
        return found

    def prospect(self, model: str, priority: Priority, tenant: str) -> tuple[Ahead, ...]:
        """About what would go before a job that this tenant submitted now."""
        return records.ahead(self._scripts("prospect", model, priority, tenant))

    def report_progress(self, latest: Mapping[str, Progress]) -> None:
        """Keep the newest progress of many jobs, and tell whoever listens."""
        # Told on the durable server, since listeners hold their one subscription there.
        kept = self._redis.scratch.pipeline(transaction=False)
        told = self._redis.durable.pipeline(transaction=False)
        for job_id, reached in latest.items():
            kept.set(keys.progress(job_id), reached.model_dump_json(), ex=PROGRESS_SECONDS)
            told.publish(keys.events(job_id), progress_message(reached))
        with store_errors():
            kept.execute()
            told.execute()
