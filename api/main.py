"""The gateway's composition root: every object is made here and handed down."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from sse_starlette.sse import AppStatus

from api import cors, openapi, problems
from api.auth import Authenticator
from api.event_hub import EventHub
from api.event_tokens import EventTokens
from api.exchange import ExchangeMiddleware
from api.fence import OpenModeFence
from api.input_resolver import InputResolver
from api.inputs import InputKeeper
from api.job_creator import JobCreator
from api.metrics import GatewayMetrics
from api.outlook import Outlook
from api.render import Renderer
from api.routes import (
    catalog,
    documentation,
    events,
    health,
    images,
    inputs,
    jobs,
    preview,
    problem_types,
    submit,
)
from api.routes import webhooks as webhook_routes
from api.services import Services
from api.settings import AuthMode, Settings
from api.stream_slots import StreamSlots
from api.submission import Submission
from api.surroundings import Surroundings
from api.ticket_sender import TicketSender
from api.webhooks import WebhookRouter
from shared.catalog import load_catalog
from shared.connections import connect
from shared.objects import ObjectStore
from shared.outbound.client import Outbound
from shared.queue import TicketQueue
from shared.samplers import SAMPLERS
from shared.storage_metrics import StorageMetrics
from shared.store.deliveries import DeliveryStore
from shared.store.events import EventLog
from shared.store.job_store import JobStore
from shared.store.keyring import Keyring
from shared.store.server import check_servers
from shared.tracing import open_tracing

ROUTERS = (
    submit.router,
    events.router,
    preview.router,
    images.router,
    inputs.router,
    jobs.router,
    catalog.router,
    webhook_routes.router,
    problem_types.router,
    health.router,
    documentation.router,
)


def create_app(settings: Settings) -> FastAPI:
    """The gateway as an ASGI application; it connects when its lifespan begins.

    Raises:
        ConfigurationError: the models' file is missing or wrong, or spans cannot be sent.
    """
    models = load_catalog(settings.models.models_file)
    metrics = GatewayMetrics(models.ids)
    redis = connect(settings.redis, name="tessera-gateway")
    store = JobStore(redis, settings.jobs)
    objects = ObjectStore(settings.storage, StorageMetrics(metrics.registry).observe)
    queue = TicketQueue(settings.redis)
    tracing = open_tracing(settings.tracing, "gateway")
    tickets = TicketSender(queue, metrics, tracing)
    creator = JobCreator(store)
    hub = EventHub(settings.redis)
    secret = settings.gateway.link_secret
    tokens = EventTokens(redis.durable, secret.get_secret_value() if secret else None)

    def first_contact() -> None:
        check_servers(redis)
        tokens.load_secret()

    outbound = Outbound(settings.outbound)
    webhooks = WebhookRouter(outbound, settings.gateway.base_url)
    keeper = InputKeeper(store, objects)
    resolver = InputResolver(keeper, outbound, settings.gateway.input_fetch_seconds)
    surroundings = Surroundings(store, objects, first_contact, metrics.observe_dependencies)
    outlook = Outlook(store, surroundings)
    services = Services(
        catalog=models,
        store=store,
        events=EventLog(redis),
        objects=objects,
        authenticator=Authenticator(settings.gateway.auth, Keyring(redis.durable)),
        tokens=tokens,
        hub=hub,
        stream_slots=StreamSlots(settings.gateway.max_streams_per_tenant),
        stream_keepalive_seconds=settings.gateway.stream_keepalive_seconds,
        surroundings=surroundings,
        outlook=outlook,
        submission=Submission(
            models,
            SAMPLERS,
            resolver,
            store,
            creator,
            tickets,
            surroundings,
            outlook,
            webhooks,
            metrics,
            settings.jobs,
            tracing,
        ),
        inputs=keeper,
        deliveries=DeliveryStore(redis, settings.jobs),
        render=Renderer(
            settings.gateway.base_url, objects, tokens, settings.jobs.retention_seconds
        ),
        metrics=metrics,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        tickets.start()
        creator.start()
        hub.start()
        await run_in_threadpool(surroundings.start)
        yield
        surroundings.stop()
        await hub.stop()
        keeper.close()
        creator.stop()
        tickets.stop()
        queue.close()
        redis.durable.close()
        redis.scratch.close()
        tracing.close()

    # The hub ends the streams; sse-starlette's own way ends those of every later server, too.
    AppStatus.enable_automatic_graceful_drain = False
    app = FastAPI(
        title="Tessera",
        description=openapi.DESCRIPTION,
        version=version("tessera"),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Ours goes on in the worker; FastAPI's own would listen to OTEL_*.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.services = services
    # As they are: a route that `include_router` wraps is looked for twice in every exchange.
    routes = [route for router in ROUTERS for route in router.routes]
    app.router.routes.extend(routes)
    if settings.gateway.auth is AuthMode.OPEN:
        app.add_middleware(OpenModeFence)
    cors.install(app, settings.gateway.cors_origins)
    app.add_middleware(
        ExchangeMiddleware,
        metrics=metrics,
        tracing=tracing,
        body_seconds=settings.gateway.body_seconds,
    )
    problems.install(app, routes)
    openapi.install(app)
    return app
