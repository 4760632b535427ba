"""Latency by stage: where a job's time goes."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.panels import SECONDS, graph, mean, page, quantile, quantiles

STAGE = "tessera_stage_duration_seconds"
STAGES = {
    "prepare": "Inputs fetched, prompt encoded, noise drawn, sampler's table fetched.",
    "denoise": "From the engine's hands back: all ticks, turns of others included.",
    "decode": "Latent to picture by the VAE, one picture at a time.",
    "encode": "Picture to PNG, JPEG, WebP or AVIF, in the compressing processes.",
    "upload": "To S3, and told to the job's record; tries again included.",
}


def build() -> Dashboard:
    """All stages together, then each."""
    return page(
        "latency",
        "Latency by stage",
        "Where a job's time goes: queue, prepare, denoise, decode, encode, upload.",
        [
            graph(
                "Whole job",
                "Submission to last picture, of succeeded jobs.",
                SECONDS,
                quantiles("tessera_job_duration_seconds"),
            ),
            graph(
                "Mean of each stage",
                "Stages of several pictures of a job overlap.",
                SECONDS,
                [
                    (mean("tessera_job_queue_seconds"), "queue"),
                    (mean(STAGE, by="stage"), "{{stage}}"),
                ],
                stacked=True,
            ),
            graph(
                "p95 of each stage",
                "The slow end; the stage that rises is the one to look at.",
                SECONDS,
                [
                    (quantile(0.95, "tessera_job_queue_seconds"), "queue"),
                    (quantile(0.95, STAGE, by="stage"), "{{stage}}"),
                ],
            ),
            graph(
                "Queue",
                "From a submission to the claim.",
                SECONDS,
                quantiles("tessera_job_queue_seconds"),
            ),
            *(
                graph(
                    stage.capitalize(),
                    meaning,
                    SECONDS,
                    quantiles(STAGE, f'{{stage="{stage}"}}'),
                )
                for stage, meaning in STAGES.items()
            ),
        ],
    )
