"""GPU and models: memory, use, heat, power, and which models are held."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.panels import BYTES, COUNT, RATIO, SECONDS, graph, page, rate

ASKED = "tessera_prompt_cache_requests_total"
HITS = f'{ASKED}{{result="hit"}}'


def build() -> Dashboard:
    """The first four panels are empty where no worker has a GPU."""
    memory = "tessera_gpu_memory_bytes"
    return page(
        "gpu",
        "GPU and models",
        "Memory, use, heat and power of the GPUs, and which models are held.",
        [
            graph(
                "GPU memory",
                "Used by all processes; reserved and allocated are torch's words for its own.",
                BYTES,
                [(memory, "{{instance}} {{kind}}")],
            ),
            graph(
                "GPU utilisation",
                "Share of the time in which a kernel ran. It says nothing of how full it was.",
                RATIO,
                [("tessera_gpu_utilization_ratio", "{{instance}}")],
            ),
            graph(
                "GPU temperature",
                "Most cards slow down from 85 to 90 degrees on.",
                "celsius",
                [("tessera_gpu_temperature_celsius", "{{instance}}")],
            ),
            graph(
                "GPU power",
                "From the card's own energy counter.",
                "watt",
                [("rate(tessera_gpu_energy_joules_total[$__rate_interval])", "{{instance}}")],
            ),
            graph(
                "Models that are ready",
                "Workers that hold each model, warm.",
                COUNT,
                [("sum by (model) (tessera_model_loaded)", "{{model}}")],
            ),
            graph(
                "Weights held",
                "By worker and model.",
                BYTES,
                [("tessera_model_bytes", "{{instance}} {{model}}")],
                stacked=True,
            ),
            graph(
                "Time to load a model",
                "From disk to warm: what a new worker or a swap costs.",
                SECONDS,
                [("tessera_model_load_seconds", "{{instance}} {{model}}")],
            ),
            graph(
                "Models sent away",
                "In the last hour, for others that were waited for. Many: the memory is too small.",
                COUNT,
                [("sum by (model) (increase(tessera_model_evictions_total[1h]))", "{{model}}")],
            ),
            graph(
                "Prompts found in the cache",
                "Share of prompts whose encoding was kept from an earlier job.",
                RATIO,
                [(f"{rate(HITS)} / {rate(ASKED)}", "hits")],
            ),
        ],
    )
