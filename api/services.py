"""What the routes work with: one value, made by `create_app` and carried by the application."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.auth import Authenticator
from api.event_hub import EventHub
from api.event_tokens import EventTokens
from api.inputs import InputKeeper
from api.metrics import GatewayMetrics
from api.outlook import Outlook
from api.render import Renderer
from api.stream_slots import StreamSlots
from api.submission import Submission
from api.surroundings import Surroundings
from shared.catalog import Catalog
from shared.objects import ObjectStore
from shared.store.deliveries import DeliveryStore
from shared.store.events import EventLog
from shared.store.job_store import JobStore


@dataclass(frozen=True)
class Services:
    """Every object that a route may use."""

    catalog: Catalog
    store: JobStore
    events: EventLog
    deliveries: DeliveryStore
    objects: ObjectStore
    authenticator: Authenticator
    tokens: EventTokens
    hub: EventHub
    stream_slots: StreamSlots
    stream_keepalive_seconds: float
    surroundings: Surroundings
    outlook: Outlook
    submission: Submission
    inputs: InputKeeper
    render: Renderer
    metrics: GatewayMetrics


def services_of(request: Request) -> Services:
    """The application's services."""
    services: Services = request.app.state.services
    return services


async def _services(request: Request) -> Services:
    # Not `services_of` itself: a plain function would be sent to the thread pool.
    return services_of(request)


Context = Annotated[Services, Depends(_services)]
