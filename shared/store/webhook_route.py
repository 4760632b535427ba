"""From a request's webhook to the route that its record keeps."""

import hashlib

from shared.outbound.target import parse_target
from shared.request import GenerationRequest
from shared.store.values import WebhookRoute

# A body stays under 20 kB; what the client may make long is left out where it is long.
METADATA_BYTES = 8_000
LEFT_OUT = {"prompt", "negative_prompt", "webhook"}


def webhook_route(
    request: GenerationRequest, tenant: str, owner: str, location: str
) -> WebhookRoute | None:
    """The route of a request's webhook; None where it has none.

    Raises:
        OutboundRefused: the URL is none that we dial.
    """
    if request.webhook is None:
        return None
    url = request.webhook.url
    authority = parse_target(url).authority
    left_out = set(LEFT_OUT)
    if len(str(request.metadata).encode()) > METADATA_BYTES:
        left_out.add("metadata")
    return WebhookRoute(
        url=url,
        events=request.webhook.events,
        owner=owner,
        target=_digest(tenant, authority),
        endpoint=endpoint_id(tenant, url),
        location=location,
        request=request.model_dump_json(exclude=left_out),
    )


def endpoint_id(tenant: str, url: str) -> str:
    """What is disabled together: one path at one receiver. Raises OutboundRefused."""
    target = parse_target(url)
    path = target.path.partition("?")[0]
    return _digest(tenant, target.scheme, target.authority, path)


def _digest(*parts: str) -> str:
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:32]
