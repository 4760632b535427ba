"""Engine: how full the ticks are, how long they take, and what keeps them apart."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.panels import (
    COUNT,
    PER_MINUTE,
    PER_SECOND,
    RATIO,
    SECONDS,
    graph,
    mean,
    page,
    quantile,
    rate,
)

STEP = "tessera_step_duration_seconds"
ROWS = "tessera_batch_rows"


def build() -> Dashboard:
    """The denoising loop."""
    return page(
        "engine",
        "Engine",
        "The denoising loop: how full the ticks are, how long they take, what keeps them apart.",
        [
            graph(
                "Rows per tick",
                "Padding not counted. The limit is the model's knee: wider batches gain nothing.",
                COUNT,
                [
                    (mean(ROWS), "mean"),
                    (quantile(0.95, ROWS), "p95"),
                    ("max by (model) (tessera_batch_rows_limit)", "limit of {{model}}"),
                ],
            ),
            graph(
                "Busy ratio",
                "Share of the time that each worker's engine spends in ticks.",
                RATIO,
                [("tessera_engine_busy_ratio", "{{instance}}")],
            ),
            graph(
                "Seconds of a tick by rows",
                "Mean device time of a tick, by the padded rows of its batch.",
                SECONDS,
                [(mean(STEP, by="model, rows"), "{{model}}, {{rows}} rows")],
            ),
            graph(
                "p99 of a tick",
                "Ticks that hang behind something else show here first.",
                SECONDS,
                [(quantile(0.99, STEP, by="model"), "{{model}}")],
            ),
            graph(
                "Ticks and image steps a second",
                "Image steps over ticks is how many pictures share a tick.",
                PER_SECOND,
                [
                    (rate(f"{ROWS}_count"), "ticks"),
                    (rate("tessera_image_steps_total"), "image steps"),
                ],
            ),
            graph(
                "Groups that take turns",
                "Samples of other shapes, models or LoRA sets cannot share a tick.",
                COUNT,
                [("tessera_batch_groups", "{{instance}}")],
            ),
            graph(
                "Slots held by each worker",
                "Jobs in any stage, and how many the worker takes.",
                COUNT,
                [
                    ("tessera_slots_used", "{{instance}}"),
                    ("max(tessera_slots)", "slots of one"),
                ],
            ),
            graph(
                "Attempts that failed",
                "By code; a retry may have made the job succeed all the same.",
                PER_MINUTE,
                [(rate("tessera_job_errors_total", by="code", per_minute=True), "{{code}}")],
            ),
            graph(
                "Samples resumed",
                "Half-denoised pictures that another attempt went on with, in ten minutes.",
                COUNT,
                [("sum(increase(tessera_samples_resumed_total[10m]))", "resumed")],
            ),
            graph(
                "Steps saved and repeated",
                "By checkpoints, after a worker was lost or drained; in the last ten minutes.",
                COUNT,
                [
                    ("sum(increase(tessera_steps_saved_total[10m]))", "saved"),
                    ("sum(increase(tessera_steps_repeated_total[10m]))", "repeated"),
                ],
            ),
            graph(
                "GPU processes that died",
                "In the last ten minutes; each was started again by its supervisor.",
                COUNT,
                [("sum(increase(tessera_worker_deaths_total[10m]))", "deaths")],
            ),
        ],
    )
