"""Debug: the processes themselves."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.panels import BYTES, COUNT, RATIO, SECONDS, graph, page

OURS = "* on (instance, job) group_left (process) tessera_build_info"


def build() -> Dashboard:
    """CPU, memory and files of each process."""
    return page(
        "debug",
        "Debug",
        "The processes themselves: CPU, memory, files, versions.",
        [
            graph(
                "CPU",
                "Cores that each process keeps busy.",
                COUNT,
                [
                    (
                        f"rate(process_cpu_seconds_total[$__rate_interval]) {OURS}",
                        "{{process}} {{instance}}",
                    )
                ],
            ),
            graph(
                "Resident memory",
                "A line that only rises is a leak.",
                BYTES,
                [(f"process_resident_memory_bytes {OURS}", "{{process}} {{instance}}")],
            ),
            graph(
                "Open files",
                "Share of what the process may open: sockets too.",
                RATIO,
                [
                    (
                        f"process_open_fds / process_max_fds {OURS}",
                        "{{process}} {{instance}}",
                    )
                ],
            ),
            graph(
                "Garbage collections",
                "Full collections a second.",
                COUNT,
                [
                    (
                        'rate(python_gc_collections_total{generation="2"}[$__rate_interval])'
                        f" {OURS}",
                        "{{process}} {{instance}}",
                    )
                ],
            ),
            graph(
                "Uptime",
                "Since each process started.",
                SECONDS,
                [
                    (
                        f"(time() - process_start_time_seconds) {OURS}",
                        "{{process}} {{instance}}",
                    )
                ],
            ),
            graph(
                "Versions",
                "Processes by version; two lines during an upgrade.",
                COUNT,
                [("count by (process, version) (tessera_build_info)", "{{process}} {{version}}")],
            ),
        ],
    )
