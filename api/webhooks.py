"""A submission's webhook: the key's default where the body names none, checked before it counts."""

from api.body import ENDINGS
from shared.errors import FieldError, InvalidRequest, OutboundRefused
from shared.outbound.client import Outbound
from shared.request import GenerationRequest, Webhook
from shared.store.api_key import Caller
from shared.store.values import WebhookRoute
from shared.store.webhook_route import webhook_route


def with_default_webhook(request: GenerationRequest, caller: Caller) -> GenerationRequest:
    """The request, calling the key's own endpoint at the job's end unless the body says another."""
    if request.webhook is not None or caller.webhook_url is None:
        return request
    return request.model_copy(update={"webhook": Webhook(url=caller.webhook_url, events=ENDINGS)})


class WebhookRouter:
    """Decides where a job's webhooks go; `base_url` begins the links in them."""

    def __init__(self, outbound: Outbound, base_url: str) -> None:
        self._outbound = outbound
        self._base_url = base_url

    async def route(
        self, job_id: str, request: GenerationRequest, caller: Caller
    ) -> WebhookRoute | None:
        """The route of the request's webhook, if it has one.

        Raises:
            InvalidRequest: the URL is none that this service calls.
        """
        if request.webhook is None:
            return None
        try:
            await self._outbound.check(request.webhook.url)
        except OutboundRefused as refusal:
            wrong = FieldError("webhook.url", refusal.code, refusal.detail)
            raise InvalidRequest("the webhook's URL cannot be used", errors=(wrong,)) from refusal
        location = f"{self._base_url}/v1/jobs/{job_id}"
        return webhook_route(request, caller.tenant, caller.owner, location)
