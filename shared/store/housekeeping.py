"""The store's housekeeping: deadlines, dead workers' jobs, retention, sweeping."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from shared.connections import RedisPair, store_errors
from shared.errors import WorkerLost
from shared.ids import job_id_of
from shared.job import JobError
from shared.request import Priority
from shared.store import keys, progress, records
from shared.store.scripts import Scripts
from shared.store.values import Reaped, Sweep

WORKER_LOST = JobError(
    code=WorkerLost.code,
    detail="the job's worker died under it too often",
    retryable=WorkerLost.retryable,
)


class Housekeeping:
    """The part of JobStore that keeper and supervisors call."""

    _redis: RedisPair
    _scripts: Scripts

    def expire_due(self, limit: int = 100) -> list[str]:
        """End jobs whose deadline has passed, telling their workers; their ids."""
        ended, _ = self._expire(self._scripts("due", keys.DEADLINES, limit))
        return ended

    def expire(self, job_id: str) -> bool:
        """End one job if its deadline has passed; whether it has expired, now or before."""
        _, expired = self._expire([job_id])
        return bool(expired)

    def _expire(self, job_ids: Sequence[str]) -> tuple[list[str], list[str]]:
        told = progress.newest(self._redis, job_ids)
        pairs = (text for job_id in job_ids for text in (job_id, told.get(job_id, "")))
        ended, expired = self._scripts("expire", *pairs)
        return ended, expired

    def reap(
        self, *, worker_id: str | None = None, blamed: Collection[str] | None = None
    ) -> Reaped:
        """Take jobs back: those whose lease ran out, or all those of one dead worker at once.

        With a worker id, only the `blamed` job ids count a crash (None: all of them). Without one,
        each job counts the loss of a host, which has its own limit; and after a gap of more than
        5 s since the last such call every lease gets a fresh term instead.
        """
        candidates = self._leased() if worker_id else self._scripts("due", keys.LEASES, -1)
        answer = self._scripts(
            "reap",
            worker_id or "",
            int(blamed is None),
            WORKER_LOST.model_dump_json(),
            json.dumps(progress.newest(self._redis, candidates)),
            *(blamed or ()),
        )
        requeued, failed, lanes = answer
        tickets = Counter(_lane(name) for name in lanes)
        return Reaped(tuple(requeued), tuple(failed), tickets)

    def _leased(self) -> list[str]:
        with store_errors():
            leased: Any = self._redis.durable.zrange(keys.LEASES, 0, -1)
        return list(leased)

    def delete(self, job_id: str) -> bool:
        """Hide the job from its tenant, ending it if need be, and make it due for deletion.

        False where there is no such job. Objects and record go later, by the keeper.
        """
        return bool(self._scripts("delete", job_id))

    def due_for_deletion(self, limit: int) -> list[tuple[str, str]]:
        """(tenant, job id) of ended jobs whose time is over. Delete the objects, then forget."""
        due: list[str] = self._scripts("due", keys.EXPIRY, limit)
        pipeline = self._redis.durable.pipeline(transaction=False)
        for job_id in due:
            pipeline.hget(keys.job(job_id), "tenant")
        with store_errors():
            tenants = pipeline.execute()
        # Another keeper may have forgotten one in between.
        return [(tenant, job_id) for tenant, job_id in zip(tenants, due, strict=True) if tenant]

    def forget(self, job_id: str) -> None:
        """Remove an ended job's record; its objects are gone already."""
        self._scripts("forget", job_id)
        with store_errors():
            self._redis.scratch.delete(
                keys.progress(job_id), keys.checkpoints(job_id), keys.preview(job_id)
            )

    def due_sweeps(self, limit: int) -> list[Sweep]:
        """Prefixes of lost, released and failed attempts, some time after their end."""
        prefixes: list[str] = self._scripts("due", keys.SWEEPS, limit)
        pipeline = self._redis.durable.pipeline(transaction=False)
        for prefix in prefixes:
            pipeline.hgetall(keys.job(job_id_of(prefix)))
        with store_errors():
            found = pipeline.execute()
        return [
            Sweep(prefix, frozenset(key for image in records.images(fields) for key in image.keys))
            for prefix, fields in zip(prefixes, found, strict=True)
        ]

    def swept(self, prefix: str) -> None:
        """The prefix holds nothing but what `keep` named."""
        with store_errors():
            self._redis.durable.zrem(keys.SWEEPS, prefix)


def _lane(name: str) -> tuple[str, Priority]:
    model, _, priority = name.rpartition(":")
    return model, Priority(priority)
