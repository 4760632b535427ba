"""Overview: is the service well, and if not, is it the workers, the queue, Redis or S3?"""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.panels import (
    COUNT,
    PER_MINUTE,
    RATIO,
    SECONDS,
    graph,
    number,
    page,
    quantile,
    quantiles,
    rate,
)

FINISHED = "tessera_jobs_finished_total"


def build() -> Dashboard:
    """The first page to look at."""
    succeeded = rate(f'{FINISHED}{{status="succeeded"}}')
    judged = rate(f'{FINISHED}{{status=~"succeeded|failed"}}')
    return page(
        "overview",
        "Overview",
        "The first page to look at: is it us, the GPU, the queue or S3?",
        [
            number(
                "Ready workers",
                "Workers that take jobs now. Zero means that nothing is made.",
                COUNT,
                'max(tessera_workers{state="ready"})',
            ),
            number(
                "Waiting jobs",
                "Jobs that no worker has claimed.",
                COUNT,
                "sum(max by (model, priority) (tessera_queue_jobs))",
            ),
            number(
                "Oldest waiting job",
                "How long the job that waits longest has been waiting.",
                SECONDS,
                "max(tessera_queue_oldest_seconds)",
            ),
            number(
                "p95 of a job",
                "Submission to last picture, the slowest twentieth of succeeded jobs.",
                SECONDS,
                quantile(0.95, "tessera_job_duration_seconds"),
            ),
            number(
                "Success",
                "Succeeded jobs among those that succeeded or failed; cancelled and expired ones "
                "are not counted.",
                RATIO,
                f"{succeeded} / {judged}",
            ),
            number(
                "Images a minute",
                "Pictures stored, over all workers.",
                PER_MINUTE,
                rate("tessera_images_total", per_minute=True),
            ),
            graph(
                "Jobs submitted and finished",
                "When the first line stays above the others, the queue grows.",
                PER_MINUTE,
                [
                    (rate("tessera_jobs_submitted_total", per_minute=True), "submitted"),
                    (rate(FINISHED, by="status", per_minute=True), "{{status}}"),
                ],
            ),
            graph(
                "Waiting jobs by priority",
                "What stands in the lanes.",
                COUNT,
                [
                    (
                        "sum by (priority) (max by (model, priority) (tessera_queue_jobs))",
                        "{{priority}}",
                    )
                ],
                stacked=True,
            ),
            graph(
                "Time of a job",
                "Submission to last picture, of succeeded jobs.",
                SECONDS,
                quantiles("tessera_job_duration_seconds"),
            ),
            graph(
                "Workers by state",
                "As they announce themselves; one that is gone leaves within 15 seconds.",
                COUNT,
                [("max by (state) (tessera_workers)", "{{state}}")],
            ),
            graph(
                "Error budget burnt, last hour",
                "1 spends a month's budget in a month; 14.4 wakes somebody.",
                COUNT,
                [
                    ("tessera:job_failures:burn_rate1h", "job success"),
                    ("tessera:slow_starts:burn_rate1h", "time in queue"),
                    ("tessera:failed_submissions:burn_rate1h", "submission"),
                ],
            ),
            graph(
                "Redis and S3",
                "1 while every gateway is answered, 0 where one is not.",
                COUNT,
                [("min by (dependency) (tessera_dependency_up)", "{{dependency}}")],
            ),
        ],
    )
