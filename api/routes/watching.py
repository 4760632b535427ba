"""Who may watch a job: its tenant, by key; or whoever has the job's own short-lived token."""

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from api.routes.answers import is_job_id, own_job
from api.services import Services
from shared.errors import NotFound, Unauthorized
from shared.job import Job
from shared.store.api_key import Scope


async def watched_job(context: Services, request: Request, job_id: str, token: str | None) -> Job:
    """The job, for who presents the token or else the key; browsers' elements can send no key.

    Raises:
        Unauthorized, Forbidden, RateLimited: neither is good.
        NotFound: there is no such job, or it is another tenant's.
        StoreUnavailable: Redis does not answer.
    """
    if token is not None:
        return await run_in_threadpool(_job_by_token, context, job_id, token)
    caller = await context.authenticator.caller(request, Scope.JOBS_READ)
    return await run_in_threadpool(own_job, context, caller.tenant, job_id)


def _job_by_token(context: Services, job_id: str, token: str) -> Job:
    if not is_job_id(job_id) or not context.tokens.accepts(job_id, token):
        raise Unauthorized("the token is not this job's, or its time is over")
    job = context.store.get(job_id)
    if job is None:
        raise NotFound("no such job")
    return job
