"""Queue and fairness: who waits, how long, who is refused, and what was handed out again."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.panels import (
    COUNT,
    PER_MINUTE,
    RATIO,
    SECONDS,
    graph,
    page,
    quantiles,
    rate,
)


def build() -> Dashboard:
    """What waits, and what is done so that everybody gets a turn."""
    return page(
        "queue",
        "Queue and fairness",
        "Who waits, how long, who is refused, and what was handed out again.",
        [
            graph(
                "Waiting jobs by model",
                "Jobs in all lanes of a model.",
                COUNT,
                [("sum by (model) (max by (model, priority) (tessera_queue_jobs))", "{{model}}")],
                stacked=True,
            ),
            graph(
                "Cost that waits and cost in work",
                "Rows x calls of the model x megapixels x images. The autoscaler follows the sum.",
                COUNT,
                [
                    ("sum(max by (model, priority) (tessera_queue_cost))", "waiting"),
                    ("sum(tessera_running_cost)", "in work"),
                ],
                stacked=True,
            ),
            graph(
                "Oldest waiting job by priority",
                "From 60 seconds on a lane gets every eighth turn, whatever its priority.",
                SECONDS,
                [("max by (priority) (tessera_queue_oldest_seconds)", "{{priority}}")],
            ),
            graph(
                "Time in queue",
                "From a submission to the claim.",
                SECONDS,
                quantiles("tessera_job_queue_seconds"),
            ),
            graph(
                "Submissions by priority",
                "Accepted ones.",
                PER_MINUTE,
                [
                    (
                        rate("tessera_jobs_submitted_total", by="priority", per_minute=True),
                        "{{priority}}",
                    )
                ],
            ),
            graph(
                "Submissions refused",
                "By the problem's code: quota_exceeded is a caller's limit, queue_full the "
                "system's.",
                PER_MINUTE,
                [(rate("tessera_jobs_rejected_total", by="reason", per_minute=True), "{{reason}}")],
            ),
            graph(
                "Slots",
                "Share of the workers' slots that hold a job.",
                RATIO,
                [("sum(tessera_slots_used) / sum(tessera_slots)", "used")],
            ),
            graph(
                "Jobs that were not finished",
                "Cancelled by their owner, or past their deadline.",
                PER_MINUTE,
                [
                    (
                        rate(
                            'tessera_jobs_finished_total{status=~"canceled|expired"}',
                            by="status",
                            per_minute=True,
                        ),
                        "{{status}}",
                    )
                ],
            ),
            graph(
                "Leases taken back",
                "worker_died: a GPU process ended under its jobs. lease_expired: a whole machine "
                "was gone.",
                PER_MINUTE,
                [(rate("tessera_leases_reaped_total", by="reason", per_minute=True), "{{reason}}")],
            ),
            graph(
                "Tickets mended",
                "Tickets are hints that may be lost: some replaced ones are no fault.",
                PER_MINUTE,
                [
                    (rate("tessera_tickets_replaced_total", per_minute=True), "replaced"),
                    (rate("tessera_tickets_dropped_total", per_minute=True), "not sent"),
                ],
            ),
        ],
    )
