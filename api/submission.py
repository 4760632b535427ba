"""One submission, top to bottom: the body's bytes become a stored job and a ticket."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from fastapi.concurrency import run_in_threadpool

from api.body import JobBody
from api.body_caps import MAX_PLAIN_BYTES, refuse_crowded, refuse_padded
from api.conditioning import NO_PICTURES, Pictures
from api.input_resolver import InputResolver
from api.job_creator import JobCreator
from api.json_body import parse_json
from api.metrics import GatewayMetrics
from api.normalise import Normalised, normalise, refuse_early
from api.outlook import Outlook
from api.surroundings import Surroundings
from api.ticket_sender import TicketSender
from api.webhooks import WebhookRouter, with_default_webhook
from api.wire import DryRunAnswer, QueueAnswer
from shared.capabilities import SamplerCapability
from shared.catalog import Catalog
from shared.errors import (
    DeadlineUnreachable,
    FieldError,
    InvalidRequest,
    LimitState,
    NotFound,
    Refused,
    TesseraError,
)
from shared.ids import new_job_id
from shared.job import Job, JobWarning
from shared.logging import job_id as logged_job_id
from shared.request import GenerationRequest, OutputFormat
from shared.settings import JobSettings
from shared.store.api_key import Caller
from shared.store.job_store import JobStore
from shared.store.limits import tenant_limit
from shared.store.values import Idempotency, NewJob
from shared.tracing import Tracing

KEY_CHARACTERS = 255


@dataclass(frozen=True)
class Submitted:
    """The stored job, its place, and whether an earlier submission had made it.

    `limit` is what remains to the caller after a new job.
    """

    job: Job
    replayed: bool
    queue: QueueAnswer | None
    limit: LimitState | None = None


class Submission:
    """Validates, brings the input pictures in, stores, sends the ticket."""

    def __init__(
        self,
        catalog: Catalog,
        samplers: Mapping[str, SamplerCapability],
        inputs: InputResolver,
        store: JobStore,
        creator: JobCreator,
        tickets: TicketSender,
        surroundings: Surroundings,
        outlook: Outlook,
        webhooks: WebhookRouter,
        metrics: GatewayMetrics,
        jobs: JobSettings,
        tracing: Tracing,
    ) -> None:
        self._catalog = catalog
        self._samplers = samplers
        self._inputs = inputs
        self._store = store
        self._creator = creator
        self._tickets = tickets
        self._surroundings = surroundings
        self._outlook = outlook
        self._webhooks = webhooks
        self._metrics = metrics
        self._jobs = jobs
        self._tracing = tracing

    async def submit(
        self,
        caller: Caller,
        raw: bytes,
        idempotency_key: str | None,
        accepted: OutputFormat | None,
    ) -> Submitted:
        """Store the job that `raw` asks for; `accepted` is the picture format of `Accept`.

        Raises:
            InvalidBody, InvalidRequest: not legal, or not to be done by its deadline; nothing is
                stored.
            RateLimited, QuotaExceeded, QueueFull: legal, but not now.
            NotReady: Redis or S3 does not answer.
        """
        try:
            return await self._submit(caller, raw, idempotency_key, accepted)
        except TesseraError as error:
            self._metrics.jobs_rejected.labels(error.code).inc()
            if isinstance(error, Refused) and error.waiting_cost is not None:
                error.retry_after = self._outlook.retry_seconds(error.waiting_cost)
            raise

    async def dry_run(self, tenant: str, raw: bytes, accepted: OutputFormat | None) -> DryRunAnswer:
        """What `submit` would make of `raw`; raises the same, but for limits."""
        body = await _read(raw, accepted)
        normalised, _ = await self._normalise(tenant, body, accepted)
        request = normalised.request
        queue = await self._prospect(tenant, request)
        return DryRunAnswer(
            request=request, cost=request.cost, queue=queue, warnings=normalised.warnings
        )

    async def _submit(
        self,
        caller: Caller,
        raw: bytes,
        idempotency_key: str | None,
        accepted: OutputFormat | None,
    ) -> Submitted:
        idempotency = _idempotency(idempotency_key, raw)
        body = await _read(raw, accepted)
        waits_for_more = body.deadline_seconds is not None or any(body.pictures())
        if idempotency is not None and waits_for_more:
            # A replay is answered whatever has become of the pictures and of the queue.
            earlier = await run_in_threadpool(self._store.made_by, caller.tenant, idempotency)
            if earlier is not None:
                return await self._replay(earlier)
        normalised, pictures = await self._normalise(caller.tenant, body, accepted)
        request = with_default_webhook(normalised.request, caller)
        if request.deadline_seconds is not None:
            await self._prospect(caller.tenant, request)
        job_id = new_job_id()
        logged_job_id.set(job_id)
        webhook = await self._webhooks.route(job_id, request, caller)
        limit = caller.limit or tenant_limit(self._jobs, caller.tenant)
        trace = self._tracing.here()
        new = NewJob(job_id, caller.tenant, request, normalised.warnings, webhook, limit, trace)
        if pictures.ids:
            # Before the job is there, so that no picture goes in between.
            await run_in_threadpool(self._store.use_inputs, caller.tenant, job_id, pictures.ids)
        created = await self._creator.create(new, idempotency)
        if created.job is None:
            return await self._replay(created.job_id)
        self._tickets.send(request.model, request.priority)
        self._metrics.jobs_submitted.labels(request.model, request.priority).inc()
        queue = self._outlook.place(request, caller.tenant, created.ahead)
        return Submitted(created.job, False, queue, created.limit)

    async def _replay(self, job_id: str) -> Submitted:
        job = await run_in_threadpool(self._store.get, job_id)
        if job is None:
            raise NotFound("the job of this idempotency key was deleted")
        places = await run_in_threadpool(self._outlook.queue, [job])
        return Submitted(job, True, places.get(job.id))

    async def _normalise(
        self, tenant: str, body: JobBody, accepted: OutputFormat | None
    ) -> tuple[Normalised, Pictures]:
        pictures = NO_PICTURES
        if any(body.pictures()):
            refuse_early(body, self._catalog)
            self._surroundings.require_ready()
            pictures = await self._inputs.resolve(tenant, body)
        normalised = normalise(
            body, self._catalog, self._samplers, accepted or OutputFormat.PNG, pictures
        )
        self._surroundings.require_ready()
        if normalised.request.model not in self._surroundings.models:
            detail = "no live worker has this model now; the job waits for one"
            warning = JobWarning(code="no_worker", detail=detail)
            normalised = replace(normalised, warnings=(*normalised.warnings, warning))
        return normalised, pictures

    async def _prospect(self, tenant: str, request: GenerationRequest) -> QueueAnswer:
        """The place that the job would get. Raises DeadlineUnreachable."""
        queue = await run_in_threadpool(self._outlook.prospect, request, tenant)
        deadline, eta = request.deadline_seconds, queue.eta_seconds
        if deadline is not None and eta is not None and eta > deadline:
            detail = f"the job would be done in about {eta:.0f} s; its deadline is {deadline:g} s"
            field = FieldError("deadline_seconds", "unreachable", f"at least {math.ceil(eta)} now")
            raise DeadlineUnreachable(detail, errors=(field,))
        return queue


async def _read(raw: bytes, accepted: OutputFormat | None) -> JobBody:
    if len(raw) <= MAX_PLAIN_BYTES:
        return _parse(raw, accepted)
    refuse_crowded(raw)
    body = await run_in_threadpool(_parse, raw, accepted)
    refuse_padded(raw, body)
    return body


def _parse(raw: bytes, accepted: OutputFormat | None) -> JobBody:
    body = parse_json(JobBody, raw)
    if accepted is not None and body.output is not None and body.output.format is not accepted:
        clash = FieldError("output.format", "not_acceptable", f"`Accept` asks for {accepted}")
        raise InvalidRequest("`Accept` and `output.format` disagree", errors=(clash,))
    return body


def _idempotency(key: str | None, raw: bytes) -> Idempotency | None:
    if key is None:
        return None
    if not 1 <= len(key) <= KEY_CHARACTERS or not key.isascii() or not key.isprintable():
        raise InvalidRequest(
            f"`Idempotency-Key` must be 1 to {KEY_CHARACTERS} printable ASCII characters"
        )
    return Idempotency(key, hashlib.sha256(raw).hexdigest())
