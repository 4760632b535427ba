"""Webhooks after they were written: the delivery log, another try, an endpoint enabled again."""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from api.auth import WebhookKeeper
from api.body import EndpointBody
from api.documented import DELIVERIES_RESPONSES, DELIVERY_RESPONSES, ENDPOINT_EXTRA, PROBLEMS
from api.json_body import parse_json, read_json
from api.routes.answers import is_job_id, json_response
from api.services import Context
from api.wire import DeliveryAnswer, ListAnswer, TryAnswer
from shared.errors import InvalidRequest, NotFound
from shared.store.deliveries import DeliveryRecord, DeliveryStatus

Undelivered = Literal["failed", "disabled"]

_DELIVERY_ID = re.compile(r"msg_[0-9a-f]{32}_[a-z]+")

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])


@router.head("/deliveries", include_in_schema=False)
@router.get(
    "/deliveries", response_model=ListAnswer[DeliveryAnswer], responses=DELIVERIES_RESPONSES
)
def list_deliveries(
    caller: WebhookKeeper,
    context: Context,
    job_id: Annotated[str | None, Query(max_length=64)] = None,
    status: Annotated[Undelivered | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """List webhooks with every try: a job's, the oldest first, or the last that did not arrive.

    One of `job_id` and `status` says which; `limit` is for the latter.
    """
    if (job_id is None) == (status is None):
        raise InvalidRequest("give either `job_id` or `status`")
    if status is not None:
        found = context.deliveries.undelivered(caller.tenant, DeliveryStatus(status), limit)
    else:
        assert job_id is not None
        found = context.deliveries.of_job(caller.tenant, job_id) if is_job_id(job_id) else []
    return json_response(ListAnswer[DeliveryAnswer](data=tuple(map(_answer, found))))


@router.post(
    "/deliveries/{delivery_id}/redeliver",
    status_code=202,
    response_model=DeliveryAnswer,
    responses=DELIVERY_RESPONSES,
)
def redeliver(
    delivery_id: Annotated[str, Path(max_length=64)], caller: WebhookKeeper, context: Context
) -> Response:
    """Send a webhook again: the same id and body, from the start of the schedule.

    A disabled endpoint gets it, too; if it takes it, it is enabled again.
    """
    known = _DELIVERY_ID.fullmatch(delivery_id)
    record = context.deliveries.redeliver(caller.tenant, delivery_id) if known else None
    if record is None:
        raise NotFound("no such delivery")
    return json_response(_answer(record), 202)


@router.post("/endpoints/enable", status_code=204, responses=PROBLEMS, openapi_extra=ENDPOINT_EXTRA)
async def enable_endpoint(request: Request, caller: WebhookKeeper, context: Context) -> Response:
    """Let new events go to an endpoint that was disabled, given its URL."""
    body = parse_json(EndpointBody, await read_json(request))
    await run_in_threadpool(context.deliveries.enable, caller.tenant, body.url)
    return Response(status_code=204)


def _answer(record: DeliveryRecord) -> DeliveryAnswer:
    return DeliveryAnswer(
        id=record.id,
        job_id=record.job_id,
        type=record.type,
        url=record.url,
        status=record.status,
        created_at=_moment(record.created_at),
        next_try_at=None if record.next_try_at is None else _moment(record.next_try_at),
        tries=tuple(TryAnswer(at=_moment(one.at), status=one.status) for one in record.tries),
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
