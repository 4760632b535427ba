"""HTTP: rate, errors and duration of the gateway's routes."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.panels import PER_SECOND, RATIO, SECONDS, graph, page, quantile, quantiles, rate

REQUESTS = "tessera_http_requests_total"
DURATION = "tessera_http_request_duration_seconds"


def build() -> Dashboard:
    """By route template, never by path."""
    return page(
        "http",
        "HTTP",
        "Rate, errors and duration of the gateway's routes.",
        [
            graph(
                "Requests by route",
                "`none` is what no route took.",
                PER_SECOND,
                [(rate(REQUESTS, by="method, handler"), "{{method}} {{handler}}")],
            ),
            graph(
                "Requests by status",
                "Classes of answers.",
                PER_SECOND,
                [(rate(REQUESTS, by="status"), "{{status}}")],
                stacked=True,
            ),
            graph(
                "Share of 5xx",
                "Answers that are our fault; 503 while Redis or S3 is away.",
                RATIO,
                [
                    (
                        f'(sum(rate({REQUESTS}{{status="5xx"}}[$__rate_interval])) or vector(0))'
                        f" / {rate(REQUESTS)}",
                        "5xx",
                    )
                ],
            ),
            graph(
                "p95 by route",
                "To the first byte; the routes that wait on purpose are slow on purpose.",
                SECONDS,
                [(quantile(0.95, DURATION, by="method, handler"), "{{method}} {{handler}}")],
            ),
            graph(
                "Submission",
                "POST /v1/jobs, `Prefer: wait` included.",
                SECONDS,
                quantiles(DURATION, '{handler="/v1/jobs",method="POST"}'),
            ),
            graph(
                "Reading a job",
                "GET /v1/jobs/{job_id}.",
                SECONDS,
                quantiles(DURATION, '{handler="/v1/jobs/{job_id}",method="GET"}'),
            ),
        ],
    )
