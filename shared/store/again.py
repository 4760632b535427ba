"""A failed job's request once more, as a new job: what has ended never changes."""

from shared.errors import NotFound
from shared.ids import new_job_id
from shared.job import JobStatus
from shared.store.job_store import JobStore
from shared.store.values import NewJob


def submit_again(store: JobStore, job_id: str) -> str:
    """The new job's id; the keeper sends its ticket. It has the same seed, and no webhook.

    Raises:
        NotFound: there is no such job that has failed, or an input picture of it is gone.
        QuotaExceeded, QueueFull, StoreUnavailable: as `JobStore.create`.
    """
    job = store.get(job_id)
    if job is None or job.status is not JobStatus.FAILED:
        raise NotFound(f"there is no failed job {job_id}")
    request = job.request.model_copy(update={"webhook": None})
    refs = [*(control.image for control in request.controls), request.image, request.mask]
    inputs = [ref.id for ref in refs if ref is not None]
    again = new_job_id()
    if inputs and None in store.use_inputs(job.tenant, again, inputs):
        raise NotFound("an input picture of the job is not stored any more")
    store.create(NewJob(again, job.tenant, request))
    return again
