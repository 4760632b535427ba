"""The keeper's composition root: four rounds and the webhooks, each on a thread of its own."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass

from keeper.cleaner import Cleaner
from keeper.leases import LeaseKeeper
from keeper.metrics import KeeperMetrics
from keeper.settings import Settings
from keeper.tickets import TicketKeeper
from keeper.webhooks import WebhookSender
from shared.catalog import load_catalog
from shared.connections import connect, store_errors
from shared.metrics import MetricsServer, new_registry, serve_metrics
from shared.objects import ObjectStore
from shared.outbound.client import Outbound
from shared.periodic import Periodic
from shared.queue import TicketQueue, connect_rq
from shared.rq_workers import bury_all_but
from shared.storage_metrics import StorageMetrics
from shared.store.deliveries import DeliveryStore
from shared.store.job_store import JobStore
from shared.store.server import check_servers
from shared.store.signing import KEYLESS, SigningSecrets
from shared.tracing import Tracing, open_tracing

LEASES_SECONDS = 2.0
TICKETS_SECONDS = 2.0
REGISTRY_SECONDS = 10.0
CLEANER_SECONDS = 10.0
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Keeper:
    """A keeper that is ready to run. Several may run: what they do may be done twice."""

    rounds: Sequence[Periodic]
    webhooks: WebhookSender
    tracing: Tracing
    metrics_server: MetricsServer

    def run(self) -> None:
        """Work until SIGTERM or SIGINT, which the caller has blocked in every thread."""
        for periodic in self.rounds:
            periodic.start()
        self.webhooks.start()
        signal.sigwait(STOP_SIGNALS)
        for periodic in self.rounds:
            periodic.stop()
        self.webhooks.stop()
        self.tracing.close()
        self.metrics_server.close()


def build(settings: Settings) -> Keeper:
    """Make the keeper's parts; nothing but the metrics port is open yet.

    Raises:
        ConfigurationError: `models.toml`, a server or the metrics port is not as it should be.
        StoreUnavailable: Redis does not answer.
    """
    models = load_catalog(settings.models.models_file).ids
    registry = new_registry("keeper")
    metrics = KeeperMetrics(registry, models)
    redis_pair = connect(settings.redis, name="tessera-keeper")
    check_servers(redis_pair)
    objects = ObjectStore(settings.storage, StorageMetrics(registry).observe)
    objects.check_settings()
    store = JobStore(redis_pair, settings.jobs)
    rq_connection = connect_rq(settings.redis, name="tessera-keeper")

    def tidy_registry() -> None:
        live = {worker.id for worker in store.live_workers()}
        with store_errors():
            bury_all_but(rq_connection, live, models)

    leases = LeaseKeeper(store, metrics, on_requeued=lambda: ticket_round.wake())
    tickets = TicketKeeper(store, TicketQueue(settings.redis), models, metrics, leases.take_tickets)
    cleaner = Cleaner(store, objects, metrics)
    ticket_round = Periodic("tickets", TICKETS_SECONDS, tickets.sweep)
    signing = SigningSecrets(redis_pair.durable)
    if settings.webhooks.webhook_secret is None:
        signing.ensure(KEYLESS)
    else:
        signing.adopt(KEYLESS, settings.webhooks.webhook_secret.get_secret_value())
    tracing = open_tracing(settings.tracing, "keeper")
    webhooks = WebhookSender(
        DeliveryStore(redis_pair, settings.jobs),
        signing,
        Outbound(settings.outbound),
        settings.webhooks,
        metrics,
        tracing,
    )
    return Keeper(
        rounds=(
            Periodic("leases", LEASES_SECONDS, leases.sweep),
            ticket_round,
            Periodic("registry", REGISTRY_SECONDS, tidy_registry),
            Periodic("cleaner", CLEANER_SECONDS, cleaner.sweep),
        ),
        webhooks=webhooks,
        tracing=tracing,
        metrics_server=serve_metrics(settings.metrics, registry),
    )
