"""Deletes what nobody will read again: objects first, records last."""

import logging

from keeper.metrics import KeeperMetrics
from shared.ids import input_key, job_prefix
from shared.objects import ObjectStore
from shared.store.job_store import JobStore

log = logging.getLogger(__name__)

AT_ONCE = 100


class Cleaner:
    """A round that is cut short leaves its work for the next one."""

    def __init__(self, store: JobStore, objects: ObjectStore, metrics: KeeperMetrics) -> None:
        self._store = store
        self._objects = objects
        self._metrics = metrics

    def sweep(self) -> None:
        """One round."""
        for tenant, job_id in self._store.due_for_deletion(AT_ONCE):
            deleted = self._objects.delete_prefix(job_prefix(tenant, job_id))
            self._store.forget(job_id)
            self._metrics.objects_deleted.labels("retention").inc(deleted)
            log.info("job forgotten", extra={"job": job_id})
        for sweep in self._store.due_sweeps(AT_ONCE):
            deleted = self._objects.delete_prefix(sweep.prefix, sweep.keep)
            self._store.swept(sweep.prefix)
            self._metrics.objects_deleted.labels("orphan").inc(deleted)
        for tenant, input_id in self._store.due_inputs(AT_ONCE):
            deleted = self._objects.delete_prefix(input_key(tenant, input_id))
            self._store.forget_input(tenant, input_id)
            self._metrics.objects_deleted.labels("input").inc(deleted)
