"""Webhooks and storage: what leaves the service, and how the others take it."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.panels import (
    COUNT,
    PER_MINUTE,
    PER_SECOND,
    RATIO,
    SECONDS,
    graph,
    page,
    quantile,
    rate,
)

CALLS = "tessera_storage_operation_seconds"
DELIVERIES = "tessera_webhook_deliveries_total"
DELIVERED = f'{DELIVERIES}{{outcome="delivered"}}'
DELETED = "tessera_objects_deleted_total"


def build() -> Dashboard:
    """Webhook receivers and S3."""
    return page(
        "delivery",
        "Webhooks and storage",
        "What leaves the service: webhooks to their receivers, pictures to S3.",
        [
            graph(
                "Webhook tries",
                "By what came of them; a retried one is tried again later.",
                PER_MINUTE,
                [(rate(DELIVERIES, by="outcome", per_minute=True), "{{outcome}}")],
            ),
            graph(
                "Webhooks that wait",
                "Not delivered yet, those with a try in hours included.",
                COUNT,
                [("max(tessera_webhook_pending)", "pending")],
            ),
            graph(
                "Webhook tries that were answered",
                "Delivered among all tries. Receivers fail, too: one bad one is not our fault.",
                RATIO,
                [
                    (
                        f"{rate(DELIVERED)} / {rate(DELIVERIES)}",
                        "delivered",
                    )
                ],
            ),
            graph(
                "S3: p95 of a call",
                "Tries again included.",
                SECONDS,
                [(quantile(0.95, CALLS, by="operation"), "{{operation}}")],
            ),
            graph(
                "S3: calls",
                "By all processes.",
                PER_SECOND,
                [(rate(f"{CALLS}_count", by="operation"), "{{operation}}")],
            ),
            graph(
                "S3: calls that failed",
                "Refused, or not answered after three tries.",
                PER_MINUTE,
                [
                    (
                        rate("tessera_storage_errors_total", by="operation", per_minute=True),
                        "{{operation}}",
                    )
                ],
            ),
            graph(
                "Objects deleted",
                "retention: jobs past their time. orphan: left by attempts that lost their job.",
                PER_MINUTE,
                [
                    (
                        rate(DELETED, by="reason", per_minute=True),
                        "{{reason}}",
                    )
                ],
            ),
        ],
    )
